{#- The day in UTC of a timestamp with a time zone, whatever the session's zone. -#}
{% macro interactions_utc_date(column) %}
    {{- adapter.dispatch('interactions_utc_date', 'interactions')(column) -}}
{% endmacro %}

{#- DuckDB, PostgreSQL, Redshift -#}
{% macro default__interactions_utc_date(column) %}
    {{- "cast(" ~ column ~ " at time zone 'UTC' as date)" -}}
{% endmacro %}

{% macro snowflake__interactions_utc_date(column) %}
    {{- "to_date(convert_timezone('UTC', " ~ column ~ "))" -}}
{% endmacro %}

{% macro bigquery__interactions_utc_date(column) %}
    {{- "date(" ~ column ~ ", 'UTC')" -}}
{% endmacro %}

{#- Databricks' adapter looks here, too. -#}
{% macro spark__interactions_utc_date(column) %}
    {{- "to_date(to_utc_timestamp(" ~ column ~ ", current_timezone()))" -}}
{% endmacro %}
