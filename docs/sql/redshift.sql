-- Redshift: the statements for the table crm.interactions. Made by docs/warehouse_sql.py.

-- Make the table

SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'crm' AND table_name = 'interactions';

CREATE TABLE IF NOT EXISTS "crm"."interactions" (
  "vendor" VARCHAR(65535) NOT NULL,
  "account" VARCHAR(65535) NOT NULL,
  "interaction_id" VARCHAR(65535) NOT NULL,
  "contact_id" VARCHAR(65535) NOT NULL,
  "contact_id_kind" VARCHAR(65535) NOT NULL,
  "occurred_at" TIMESTAMPTZ NOT NULL,
  "channel" VARCHAR(65535) NOT NULL,
  "action" VARCHAR(65535) NOT NULL,
  "native_type" VARCHAR(65535) NOT NULL,
  "status" VARCHAR(65535),
  "subject" VARCHAR(65535),
  "campaign_id" VARCHAR(65535),
  "campaign_name" VARCHAR(65535),
  "message_id" VARCHAR(65535),
  "count" INTEGER,
  "delivered_at" TIMESTAMPTZ,
  "updated_at" TIMESTAMPTZ,
  "attributes" VARCHAR(65535) NOT NULL,
  "extracted_at" TIMESTAMPTZ NOT NULL,
  "window_start" TIMESTAMPTZ NOT NULL,
  "window_end" TIMESTAMPTZ NOT NULL,
  "person_id" VARCHAR(65535),
  "revision" BIGINT,
  PRIMARY KEY ("vendor", "account", "interaction_id")
);

SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'crm' AND table_name = 'interactions';

COMMENT ON TABLE "crm"."interactions" IS 'Contact interactions, schema version 3';


-- Add a column that a later version has

SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'crm' AND table_name = 'interactions';

SELECT obj_description(pg_class.oid)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
WHERE nspname = 'crm' AND relname = 'interactions';

ALTER TABLE "crm"."interactions" ADD COLUMN "device" VARCHAR(65535);

COMMENT ON TABLE "crm"."interactions" IS 'Contact interactions, schema version 4';


-- Load a window of two files

SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'crm' AND table_name = 'interactions';

SELECT obj_description(pg_class.oid)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
WHERE nspname = 'crm' AND relname = 'interactions';

COMMENT ON TABLE "crm"."interactions" IS 'Contact interactions, schema version 3';

CREATE TEMP TABLE "interactions_staging" (
  "vendor" VARCHAR(65535),
  "account" VARCHAR(65535),
  "interaction_id" VARCHAR(65535),
  "contact_id" VARCHAR(65535),
  "contact_id_kind" VARCHAR(65535),
  "occurred_at" TIMESTAMPTZ,
  "channel" VARCHAR(65535),
  "action" VARCHAR(65535),
  "native_type" VARCHAR(65535),
  "status" VARCHAR(65535),
  "subject" VARCHAR(65535),
  "campaign_id" VARCHAR(65535),
  "campaign_name" VARCHAR(65535),
  "message_id" VARCHAR(65535),
  "count" INTEGER,
  "delivered_at" TIMESTAMPTZ,
  "updated_at" TIMESTAMPTZ,
  "attributes" VARCHAR(65535),
  "extracted_at" TIMESTAMPTZ,
  "window_start" TIMESTAMPTZ,
  "window_end" TIMESTAMPTZ
);

COPY "interactions_staging"
FROM 's3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet'
IAM_ROLE default
FORMAT AS PARQUET;

COPY "interactions_staging"
FROM 's3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet'
IAM_ROLE default
FORMAT AS PARQUET;

ALTER TABLE "interactions_staging" ADD COLUMN "person_id" VARCHAR(65535);

ALTER TABLE "interactions_staging" ADD COLUMN "revision" BIGINT;

SELECT count(*), count(DISTINCT "interaction_id")
FROM "interactions_staging";

BEGIN;

LOCK TABLE "crm"."interactions";

DELETE FROM "crm"."interactions"
WHERE "vendor" = 'which50' AND "account" = 'acme' AND "interaction_id" IN (
SELECT new."interaction_id" FROM "interactions_staging" new JOIN "crm"."interactions" old
ON old."interaction_id" = new."interaction_id" AND old."vendor" = 'which50' AND old."account" = 'acme'
WHERE (coalesce(new."revision", -9223372036854775807) > coalesce(old."revision", -9223372036854775807) OR (coalesce(new."revision", -9223372036854775807) = coalesce(old."revision", -9223372036854775807) AND new."extracted_at" >= old."extracted_at")) AND (new."contact_id" <> old."contact_id"
  OR new."contact_id_kind" <> old."contact_id_kind"
  OR new."occurred_at" <> old."occurred_at"
  OR new."channel" <> old."channel"
  OR new."action" <> old."action"
  OR new."native_type" <> old."native_type"
  OR new."status" <> old."status" OR (new."status" IS NULL) <> (old."status" IS NULL)
  OR new."subject" <> old."subject" OR (new."subject" IS NULL) <> (old."subject" IS NULL)
  OR new."campaign_id" <> old."campaign_id" OR (new."campaign_id" IS NULL) <> (old."campaign_id" IS NULL)
  OR new."campaign_name" <> old."campaign_name" OR (new."campaign_name" IS NULL) <> (old."campaign_name" IS NULL)
  OR new."message_id" <> old."message_id" OR (new."message_id" IS NULL) <> (old."message_id" IS NULL)
  OR new."count" <> old."count" OR (new."count" IS NULL) <> (old."count" IS NULL)
  OR new."delivered_at" <> old."delivered_at" OR (new."delivered_at" IS NULL) <> (old."delivered_at" IS NULL)
  OR new."updated_at" <> old."updated_at" OR (new."updated_at" IS NULL) <> (old."updated_at" IS NULL)
  OR new."attributes" <> old."attributes"
  OR new."window_start" <> old."window_start"
  OR new."window_end" <> old."window_end"
  OR new."person_id" <> old."person_id" OR (new."person_id" IS NULL) <> (old."person_id" IS NULL)
  OR new."revision" <> old."revision" OR (new."revision" IS NULL) <> (old."revision" IS NULL)));

INSERT INTO "crm"."interactions" ("vendor", "account", "interaction_id", "contact_id", "contact_id_kind", "occurred_at", "channel", "action", "native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "delivered_at", "updated_at", "attributes", "extracted_at", "window_start", "window_end", "person_id", "revision")
SELECT new."vendor", new."account", new."interaction_id", new."contact_id", new."contact_id_kind", new."occurred_at", new."channel", new."action", new."native_type", new."status", new."subject", new."campaign_id", new."campaign_name", new."message_id", new."count", new."delivered_at", new."updated_at", new."attributes", new."extracted_at", new."window_start", new."window_end", new."person_id", new."revision"
FROM "interactions_staging" new
WHERE NOT EXISTS (SELECT 1 FROM "crm"."interactions" old WHERE old."interaction_id" = new."interaction_id" AND old."vendor" = 'which50' AND old."account" = 'acme');

COMMIT;


-- Load a window with an interaction that two contacts have

SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'crm' AND table_name = 'interactions';

SELECT obj_description(pg_class.oid)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
WHERE nspname = 'crm' AND relname = 'interactions';

COMMENT ON TABLE "crm"."interactions" IS 'Contact interactions, schema version 3';

CREATE TEMP TABLE "interactions_staging" (
  "vendor" VARCHAR(65535),
  "account" VARCHAR(65535),
  "interaction_id" VARCHAR(65535),
  "contact_id" VARCHAR(65535),
  "contact_id_kind" VARCHAR(65535),
  "occurred_at" TIMESTAMPTZ,
  "channel" VARCHAR(65535),
  "action" VARCHAR(65535),
  "native_type" VARCHAR(65535),
  "status" VARCHAR(65535),
  "subject" VARCHAR(65535),
  "campaign_id" VARCHAR(65535),
  "campaign_name" VARCHAR(65535),
  "message_id" VARCHAR(65535),
  "count" INTEGER,
  "delivered_at" TIMESTAMPTZ,
  "updated_at" TIMESTAMPTZ,
  "attributes" VARCHAR(65535),
  "extracted_at" TIMESTAMPTZ,
  "window_start" TIMESTAMPTZ,
  "window_end" TIMESTAMPTZ
);

COPY "interactions_staging"
FROM 's3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet'
IAM_ROLE default
FORMAT AS PARQUET;

COPY "interactions_staging"
FROM 's3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet'
IAM_ROLE default
FORMAT AS PARQUET;

ALTER TABLE "interactions_staging" ADD COLUMN "person_id" VARCHAR(65535);

ALTER TABLE "interactions_staging" ADD COLUMN "revision" BIGINT;

SELECT count(*), count(DISTINCT "interaction_id")
FROM "interactions_staging";

BEGIN;

LOCK TABLE "crm"."interactions";

DELETE FROM "crm"."interactions"
WHERE "vendor" = 'which50' AND "account" = 'acme' AND "interaction_id" IN (
SELECT new."interaction_id" FROM (SELECT "vendor", "account", "interaction_id", "contact_id", "contact_id_kind", "occurred_at", "channel", "action", "native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "delivered_at", "updated_at", "attributes", "extracted_at", "window_start", "window_end", "person_id", "revision" FROM (SELECT "vendor", "account", "interaction_id", "contact_id", "contact_id_kind", "occurred_at", "channel", "action", "native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "delivered_at", "updated_at", "attributes", "extracted_at", "window_start", "window_end", "person_id", "revision", row_number() OVER (PARTITION BY "interaction_id" ORDER BY "revision" DESC NULLS LAST, "extracted_at" DESC NULLS LAST, "occurred_at" DESC NULLS LAST, "contact_id", "contact_id_kind", "channel", "action", "native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "delivered_at", "updated_at", "attributes", "window_start", "window_end", "person_id") AS nth FROM "interactions_staging") ranked WHERE nth = 1) new JOIN "crm"."interactions" old
ON old."interaction_id" = new."interaction_id" AND old."vendor" = 'which50' AND old."account" = 'acme'
WHERE (coalesce(new."revision", -9223372036854775807) > coalesce(old."revision", -9223372036854775807) OR (coalesce(new."revision", -9223372036854775807) = coalesce(old."revision", -9223372036854775807) AND new."extracted_at" >= old."extracted_at")) AND (new."contact_id" <> old."contact_id"
  OR new."contact_id_kind" <> old."contact_id_kind"
  OR new."occurred_at" <> old."occurred_at"
  OR new."channel" <> old."channel"
  OR new."action" <> old."action"
  OR new."native_type" <> old."native_type"
  OR new."status" <> old."status" OR (new."status" IS NULL) <> (old."status" IS NULL)
  OR new."subject" <> old."subject" OR (new."subject" IS NULL) <> (old."subject" IS NULL)
  OR new."campaign_id" <> old."campaign_id" OR (new."campaign_id" IS NULL) <> (old."campaign_id" IS NULL)
  OR new."campaign_name" <> old."campaign_name" OR (new."campaign_name" IS NULL) <> (old."campaign_name" IS NULL)
  OR new."message_id" <> old."message_id" OR (new."message_id" IS NULL) <> (old."message_id" IS NULL)
  OR new."count" <> old."count" OR (new."count" IS NULL) <> (old."count" IS NULL)
  OR new."delivered_at" <> old."delivered_at" OR (new."delivered_at" IS NULL) <> (old."delivered_at" IS NULL)
  OR new."updated_at" <> old."updated_at" OR (new."updated_at" IS NULL) <> (old."updated_at" IS NULL)
  OR new."attributes" <> old."attributes"
  OR new."window_start" <> old."window_start"
  OR new."window_end" <> old."window_end"
  OR new."person_id" <> old."person_id" OR (new."person_id" IS NULL) <> (old."person_id" IS NULL)
  OR new."revision" <> old."revision" OR (new."revision" IS NULL) <> (old."revision" IS NULL)));

INSERT INTO "crm"."interactions" ("vendor", "account", "interaction_id", "contact_id", "contact_id_kind", "occurred_at", "channel", "action", "native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "delivered_at", "updated_at", "attributes", "extracted_at", "window_start", "window_end", "person_id", "revision")
SELECT new."vendor", new."account", new."interaction_id", new."contact_id", new."contact_id_kind", new."occurred_at", new."channel", new."action", new."native_type", new."status", new."subject", new."campaign_id", new."campaign_name", new."message_id", new."count", new."delivered_at", new."updated_at", new."attributes", new."extracted_at", new."window_start", new."window_end", new."person_id", new."revision"
FROM (SELECT "vendor", "account", "interaction_id", "contact_id", "contact_id_kind", "occurred_at", "channel", "action", "native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "delivered_at", "updated_at", "attributes", "extracted_at", "window_start", "window_end", "person_id", "revision" FROM (SELECT "vendor", "account", "interaction_id", "contact_id", "contact_id_kind", "occurred_at", "channel", "action", "native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "delivered_at", "updated_at", "attributes", "extracted_at", "window_start", "window_end", "person_id", "revision", row_number() OVER (PARTITION BY "interaction_id" ORDER BY "revision" DESC NULLS LAST, "extracted_at" DESC NULLS LAST, "occurred_at" DESC NULLS LAST, "contact_id", "contact_id_kind", "channel", "action", "native_type", "status", "subject", "campaign_id", "campaign_name", "message_id", "count", "delivered_at", "updated_at", "attributes", "window_start", "window_end", "person_id") AS nth FROM "interactions_staging") ranked WHERE nth = 1) new
WHERE NOT EXISTS (SELECT 1 FROM "crm"."interactions" old WHERE old."interaction_id" = new."interaction_id" AND old."vendor" = 'which50' AND old."account" = 'acme');

COMMIT;


-- Erase two contacts

SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'crm' AND table_name = 'interactions';

SELECT obj_description(pg_class.oid)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
WHERE nspname = 'crm' AND relname = 'interactions';

COMMENT ON TABLE "crm"."interactions" IS 'Contact interactions, schema version 3';

SELECT DISTINCT "contact_id"
FROM "crm"."interactions"
WHERE "vendor" = 'capillary' AND "account" = 'acme' AND "contact_id_kind" = 'email' AND length("contact_id") IN (15);

DELETE FROM "crm"."interactions"
WHERE "vendor" = %s AND "account" = %s AND (("contact_id" = %s AND "contact_id_kind" = %s) OR ("contact_id" = %s AND "contact_id_kind" = %s));


-- Make the table of the ledger, and add a row

SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'crm' AND table_name = 'interactions_ledger';

CREATE TABLE IF NOT EXISTS "crm"."interactions_ledger" (
  "file" VARCHAR(65535) NOT NULL,
  "step" VARCHAR(65535) NOT NULL,
  "state" VARCHAR(65535) NOT NULL,
  "error" VARCHAR(65535),
  "vendor" VARCHAR(65535),
  "account" VARCHAR(65535),
  "window_start" TIMESTAMPTZ,
  "window_end" TIMESTAMPTZ,
  "windows" INTEGER NOT NULL,
  "batch" INTEGER,
  "batches" INTEGER,
  "started_at" TIMESTAMPTZ NOT NULL,
  "ended_at" TIMESTAMPTZ NOT NULL,
  "seconds" DOUBLE PRECISION NOT NULL,
  "requests" BIGINT NOT NULL,
  "retries" BIGINT NOT NULL,
  "throttled" BIGINT NOT NULL,
  "throttled_seconds" DOUBLE PRECISION NOT NULL,
  "received_bytes" BIGINT NOT NULL,
  "rows" BIGINT,
  "bytes" BIGINT,
  "rejects" BIGINT,
  "alerts" BIGINT,
  "contacts" BIGINT,
  "ok" BIGINT,
  "empty" BIGINT,
  "not_found" BIGINT,
  "deleted" BIGINT,
  "failed" BIGINT,
  "dag_id" VARCHAR(65535),
  "run_id" VARCHAR(65535),
  "task_id" VARCHAR(65535),
  "map_index" INTEGER,
  "attempt" INTEGER,
  "version" VARCHAR(65535) NOT NULL,
  PRIMARY KEY ("file")
);

SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'crm' AND table_name = 'interactions_ledger';

COMMENT ON TABLE "crm"."interactions_ledger" IS 'Tries of steps of contact interactions, schema version 1';

BEGIN;

LOCK TABLE "crm"."interactions_ledger";

SELECT max("file") FROM "crm"."interactions_ledger";

INSERT INTO "crm"."interactions_ledger" ("file", "step", "state", "error", "vendor", "account", "window_start", "window_end", "windows", "batch", "batches", "started_at", "ended_at", "seconds", "requests", "retries", "throttled", "throttled_seconds", "received_bytes", "rows", "bytes", "rejects", "alerts", "contacts", "ok", "empty", "not_found", "deleted", "failed", "dag_id", "run_id", "task_id", "map_index", "attempt", "version")
SELECT "file", "step", "state", "error", "vendor", "account", "window_start", "window_end", "windows", "batch", "batches", "started_at", "ended_at", "seconds", "requests", "retries", "throttled", "throttled_seconds", "received_bytes", "rows", "bytes", "rejects", "alerts", "contacts", "ok", "empty", "not_found", "deleted", "failed", "dag_id", "run_id", "task_id", "map_index", "attempt", "version"
FROM (SELECT CAST('date=2026-01-03/20260103T000500000000Z-success-0123456789abcdef-0123456789ab.parquet' AS VARCHAR(65535)) AS "file", CAST('extract' AS VARCHAR(65535)) AS "step", CAST('success' AS VARCHAR(65535)) AS "state", CAST(NULL AS VARCHAR(65535)) AS "error", CAST('which50' AS VARCHAR(65535)) AS "vendor", CAST('acme' AS VARCHAR(65535)) AS "account", CAST(NULL AS TIMESTAMPTZ) AS "window_start", CAST(NULL AS TIMESTAMPTZ) AS "window_end", CAST('1' AS INTEGER) AS "windows", CAST(NULL AS INTEGER) AS "batch", CAST(NULL AS INTEGER) AS "batches", CAST('2026-01-03 00:05:00+00:00' AS TIMESTAMPTZ) AS "started_at", CAST('2026-01-03 00:05:00+00:00' AS TIMESTAMPTZ) AS "ended_at", CAST('1.5' AS DOUBLE PRECISION) AS "seconds", CAST('0' AS BIGINT) AS "requests", CAST('0' AS BIGINT) AS "retries", CAST('0' AS BIGINT) AS "throttled", CAST('0.0' AS DOUBLE PRECISION) AS "throttled_seconds", CAST('0' AS BIGINT) AS "received_bytes", CAST(NULL AS BIGINT) AS "rows", CAST(NULL AS BIGINT) AS "bytes", CAST(NULL AS BIGINT) AS "rejects", CAST(NULL AS BIGINT) AS "alerts", CAST(NULL AS BIGINT) AS "contacts", CAST(NULL AS BIGINT) AS "ok", CAST(NULL AS BIGINT) AS "empty", CAST(NULL AS BIGINT) AS "not_found", CAST(NULL AS BIGINT) AS "deleted", CAST(NULL AS BIGINT) AS "failed", CAST(NULL AS VARCHAR(65535)) AS "dag_id", CAST(NULL AS VARCHAR(65535)) AS "run_id", CAST(NULL AS VARCHAR(65535)) AS "task_id", CAST(NULL AS INTEGER) AS "map_index", CAST(NULL AS INTEGER) AS "attempt", CAST('0.1.0' AS VARCHAR(65535)) AS "version") new
WHERE NOT EXISTS (SELECT 1 FROM "crm"."interactions_ledger" old WHERE old."file" = new."file");

COMMIT;
