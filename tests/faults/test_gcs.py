"""A lake at gs:// on a server like Google's, with Google's own kind of errors. See also test_reading.py."""

import os
from datetime import timedelta

import pyarrow as pa
import pytest
import rig

from airflow_provider_interactions.errors import ConfigError
from airflow_provider_interactions.extract import commit
from airflow_provider_interactions.lake.manifest import Manifest
from airflow_provider_interactions.lake.parquet import Writer
from airflow_provider_interactions.lake.storage import Lake

SCHEMA = pa.schema([("payload", pa.binary())])
PART = 5 * 2**20


pytestmark = pytest.mark.usefixtures("gcs")


def test_the_oracles_rows_and_no_other_object(sandbox, vendor):
    spec = rig.spec(sandbox, vendor, f"gs://lakes/{vendor}", disk="gcs", resume="run", concurrency=2)
    raw, canonical = rig.run(spec)
    assert rig.describe_rows(rig.seen(spec)[1]) == rig.ask_oracle(sandbox, vendor)
    published = {*raw.paths, *canonical.paths, raw.place.raw_manifest, raw.place.manifest}
    lake = rig.lake_of(spec)
    histories = set(lake.list_files("history"))  # of vendors that cannot filter by date
    marks = set(lake.list_files("changes"))  # one for each account, which the coverage page looks at
    assert len(marks) == 1
    assert set(lake.list_files("")) - histories - marks == published


def test_a_newer_version_replaces_the_former_one(worlds):
    specs = [
        rig.spec(world, "which50", "gs://lakes/two", disk="gcs", extracted_at=at.isoformat())
        for world, at in zip(worlds, (rig.FIRST, rig.FIRST + timedelta(days=1)), strict=True)
    ]
    before, _ = rig.run(specs[0])
    rig.run(specs[1])
    lake = rig.lake_of(specs[0])
    assert rig.describe_rows(rig.seen(specs[0])[1]) == rig.ask_oracle(worlds[1], "which50")
    assert not before.paths & set(lake.list_files(""))
    assert lake.read("manifests/none.json", Manifest) is None
    with pytest.raises(Exception, match="another extraction"):
        commit.commit_window(lake, [before])


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # gcsfs does that
def test_a_large_file_appears_whole_or_not_at_all():
    """gcsfs makes an error of the answer to an upload that is given up."""
    lake = Lake.at("gs://lakes/large", block_size=PART)
    for whole in (False, True):
        writer = Writer(lake, "raw/large.parquet", SCHEMA)
        for _ in range(3):
            writer.write(pa.record_batch({"payload": pa.array([os.urandom(PART)])}, schema=SCHEMA))
        assert lake.list_names("raw") == []
        written = writer.close() if whole else writer.discard()
    assert lake.fs.size(lake.full("raw/large.parquet")) == written.bytes > 3 * PART


def test_a_bucket_that_is_not_there():
    with pytest.raises(ConfigError, match="The lake cannot be written"):
        Lake.at("gs://no-such-lake/x").publish("m.json", {})
