"""Many tasks that end at about the same time, each with an event of an asset to write down."""

from airflow.sdk import DAG, Asset, task

with DAG("many_ends", schedule=None):

    @task(outlets=[Asset("end://many")])
    def end(number):
        return number

    end.expand(number=list(range(16)))
