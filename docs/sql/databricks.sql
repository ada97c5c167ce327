-- Databricks: the statements for the table crm.interactions. Made by docs/warehouse_sql.py.

-- Make the table

DESCRIBE TABLE `crm`.`interactions`;

CREATE TABLE IF NOT EXISTS `crm`.`interactions` (
  `vendor` STRING NOT NULL COMMENT 'registry name',
  `account` STRING NOT NULL COMMENT 'the organisation: the connection\'s host unless set',
  `interaction_id` STRING NOT NULL COMMENT 'the vendor\'s id if it is unique, else a digest',
  `contact_id` STRING NOT NULL COMMENT 'the contact\'s identifier at the vendor',
  `contact_id_kind` STRING NOT NULL COMMENT 'contact_id, email, mobile and the like, or a word of the vendor',
  `occurred_at` TIMESTAMP NOT NULL COMMENT 'when it happened',
  `channel` STRING NOT NULL COMMENT 'one of CHANNELS',
  `action` STRING NOT NULL COMMENT 'one of ACTIONS',
  `native_type` STRING NOT NULL COMMENT 'the vendor\'s own word for the type',
  `status` STRING COMMENT 'the vendor\'s last status',
  `subject` STRING COMMENT 'the message\'s subject or the asset\'s name',
  `campaign_id` STRING COMMENT 'campaign or journey',
  `campaign_name` STRING COMMENT 'its name',
  `message_id` STRING COMMENT 'the message that was sent',
  `count` INT COMMENT 'repetitions, if the vendor counts them',
  `delivered_at` TIMESTAMP COMMENT 'when it was delivered, if the vendor says so',
  `updated_at` TIMESTAMP COMMENT 'when the record last changed, if the vendor says so',
  `attributes` STRING NOT NULL COMMENT 'JSON object: every vendor field without a column',
  `extracted_at` TIMESTAMP NOT NULL COMMENT 'one value per extraction',
  `window_start` TIMESTAMP NOT NULL COMMENT 'start of the window that produced the row',
  `window_end` TIMESTAMP NOT NULL COMMENT 'its end, exclusive',
  `person_id` STRING COMMENT 'the person, by the map of identities; null if it is unknown',
  `revision` BIGINT COMMENT 'the vendor\'s version of the record, if it counts them; the greatest counts'
)
USING DELTA
CLUSTER BY (`vendor`, `account`, `interaction_id`)
TBLPROPERTIES ('delta.isolationLevel' = 'Serializable');

DESCRIBE TABLE `crm`.`interactions`;

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 3');


-- Add a column that a later version has

DESCRIBE TABLE `crm`.`interactions`;

SHOW TBLPROPERTIES `crm`.`interactions` ('interactions.schema');

ALTER TABLE `crm`.`interactions` ADD COLUMN `device` STRING;

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 4');


-- Load a window of two files

DESCRIBE TABLE `crm`.`interactions`;

SHOW TBLPROPERTIES `crm`.`interactions` ('interactions.schema');

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 3');

SELECT count(*), count(DISTINCT `interaction_id`)
FROM (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING, revision BIGINT', partitionColumns => '')
UNION ALL SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING, revision BIGINT', partitionColumns => ''));

MERGE INTO `crm`.`interactions` AS old
USING (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING, revision BIGINT', partitionColumns => '')
UNION ALL SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING, revision BIGINT', partitionColumns => '')) AS new
ON old.`interaction_id` = new.`interaction_id` AND old.`vendor` = 'which50' AND old.`account` = 'acme'
WHEN MATCHED AND (coalesce(new.`revision`, -9223372036854775807) > coalesce(old.`revision`, -9223372036854775807) OR (coalesce(new.`revision`, -9223372036854775807) = coalesce(old.`revision`, -9223372036854775807) AND new.`extracted_at` >= old.`extracted_at`)) AND (new.`contact_id` IS DISTINCT FROM old.`contact_id`
  OR new.`contact_id_kind` IS DISTINCT FROM old.`contact_id_kind`
  OR new.`occurred_at` IS DISTINCT FROM old.`occurred_at`
  OR new.`channel` IS DISTINCT FROM old.`channel`
  OR new.`action` IS DISTINCT FROM old.`action`
  OR new.`native_type` IS DISTINCT FROM old.`native_type`
  OR new.`status` IS DISTINCT FROM old.`status`
  OR new.`subject` IS DISTINCT FROM old.`subject`
  OR new.`campaign_id` IS DISTINCT FROM old.`campaign_id`
  OR new.`campaign_name` IS DISTINCT FROM old.`campaign_name`
  OR new.`message_id` IS DISTINCT FROM old.`message_id`
  OR new.`count` IS DISTINCT FROM old.`count`
  OR new.`delivered_at` IS DISTINCT FROM old.`delivered_at`
  OR new.`updated_at` IS DISTINCT FROM old.`updated_at`
  OR new.`attributes` IS DISTINCT FROM old.`attributes`
  OR new.`window_start` IS DISTINCT FROM old.`window_start`
  OR new.`window_end` IS DISTINCT FROM old.`window_end`
  OR new.`person_id` IS DISTINCT FROM old.`person_id`
  OR new.`revision` IS DISTINCT FROM old.`revision`)
THEN UPDATE SET `contact_id` = new.`contact_id`, `contact_id_kind` = new.`contact_id_kind`, `occurred_at` = new.`occurred_at`, `channel` = new.`channel`, `action` = new.`action`, `native_type` = new.`native_type`, `status` = new.`status`, `subject` = new.`subject`, `campaign_id` = new.`campaign_id`, `campaign_name` = new.`campaign_name`, `message_id` = new.`message_id`, `count` = new.`count`, `delivered_at` = new.`delivered_at`, `updated_at` = new.`updated_at`, `attributes` = new.`attributes`, `extracted_at` = new.`extracted_at`, `window_start` = new.`window_start`, `window_end` = new.`window_end`, `person_id` = new.`person_id`, `revision` = new.`revision`
WHEN NOT MATCHED THEN INSERT (`vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision`)
VALUES (new.`vendor`, new.`account`, new.`interaction_id`, new.`contact_id`, new.`contact_id_kind`, new.`occurred_at`, new.`channel`, new.`action`, new.`native_type`, new.`status`, new.`subject`, new.`campaign_id`, new.`campaign_name`, new.`message_id`, new.`count`, new.`delivered_at`, new.`updated_at`, new.`attributes`, new.`extracted_at`, new.`window_start`, new.`window_end`, new.`person_id`, new.`revision`);


-- Load a window with an interaction that two contacts have

DESCRIBE TABLE `crm`.`interactions`;

SHOW TBLPROPERTIES `crm`.`interactions` ('interactions.schema');

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 3');

SELECT count(*), count(DISTINCT `interaction_id`)
FROM (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING, revision BIGINT', partitionColumns => '')
UNION ALL SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING, revision BIGINT', partitionColumns => ''));

MERGE INTO `crm`.`interactions` AS old
USING (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision`, row_number() OVER (PARTITION BY `interaction_id` ORDER BY `revision` DESC NULLS LAST, `extracted_at` DESC NULLS LAST, `occurred_at` DESC NULLS LAST, `contact_id`, `contact_id_kind`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `window_start`, `window_end`, `person_id`) AS nth FROM (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING, revision BIGINT', partitionColumns => '')
UNION ALL SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING, revision BIGINT', partitionColumns => ''))) ranked WHERE nth = 1) AS new
ON old.`interaction_id` = new.`interaction_id` AND old.`vendor` = 'which50' AND old.`account` = 'acme'
WHEN MATCHED AND (coalesce(new.`revision`, -9223372036854775807) > coalesce(old.`revision`, -9223372036854775807) OR (coalesce(new.`revision`, -9223372036854775807) = coalesce(old.`revision`, -9223372036854775807) AND new.`extracted_at` >= old.`extracted_at`)) AND (new.`contact_id` IS DISTINCT FROM old.`contact_id`
  OR new.`contact_id_kind` IS DISTINCT FROM old.`contact_id_kind`
  OR new.`occurred_at` IS DISTINCT FROM old.`occurred_at`
  OR new.`channel` IS DISTINCT FROM old.`channel`
  OR new.`action` IS DISTINCT FROM old.`action`
  OR new.`native_type` IS DISTINCT FROM old.`native_type`
  OR new.`status` IS DISTINCT FROM old.`status`
  OR new.`subject` IS DISTINCT FROM old.`subject`
  OR new.`campaign_id` IS DISTINCT FROM old.`campaign_id`
  OR new.`campaign_name` IS DISTINCT FROM old.`campaign_name`
  OR new.`message_id` IS DISTINCT FROM old.`message_id`
  OR new.`count` IS DISTINCT FROM old.`count`
  OR new.`delivered_at` IS DISTINCT FROM old.`delivered_at`
  OR new.`updated_at` IS DISTINCT FROM old.`updated_at`
  OR new.`attributes` IS DISTINCT FROM old.`attributes`
  OR new.`window_start` IS DISTINCT FROM old.`window_start`
  OR new.`window_end` IS DISTINCT FROM old.`window_end`
  OR new.`person_id` IS DISTINCT FROM old.`person_id`
  OR new.`revision` IS DISTINCT FROM old.`revision`)
THEN UPDATE SET `contact_id` = new.`contact_id`, `contact_id_kind` = new.`contact_id_kind`, `occurred_at` = new.`occurred_at`, `channel` = new.`channel`, `action` = new.`action`, `native_type` = new.`native_type`, `status` = new.`status`, `subject` = new.`subject`, `campaign_id` = new.`campaign_id`, `campaign_name` = new.`campaign_name`, `message_id` = new.`message_id`, `count` = new.`count`, `delivered_at` = new.`delivered_at`, `updated_at` = new.`updated_at`, `attributes` = new.`attributes`, `extracted_at` = new.`extracted_at`, `window_start` = new.`window_start`, `window_end` = new.`window_end`, `person_id` = new.`person_id`, `revision` = new.`revision`
WHEN NOT MATCHED THEN INSERT (`vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, `revision`)
VALUES (new.`vendor`, new.`account`, new.`interaction_id`, new.`contact_id`, new.`contact_id_kind`, new.`occurred_at`, new.`channel`, new.`action`, new.`native_type`, new.`status`, new.`subject`, new.`campaign_id`, new.`campaign_name`, new.`message_id`, new.`count`, new.`delivered_at`, new.`updated_at`, new.`attributes`, new.`extracted_at`, new.`window_start`, new.`window_end`, new.`person_id`, new.`revision`);


-- Erase two contacts

DESCRIBE TABLE `crm`.`interactions`;

SHOW TBLPROPERTIES `crm`.`interactions` ('interactions.schema');

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 3');

SELECT DISTINCT `contact_id`
FROM `crm`.`interactions`
WHERE `vendor` = 'capillary' AND `account` = 'acme' AND `contact_id_kind` = 'email' AND length(`contact_id`) IN (15);

DELETE FROM `crm`.`interactions`
WHERE `vendor` = ? AND `account` = ? AND ((`contact_id` = ? AND `contact_id_kind` = ?) OR (`contact_id` = ? AND `contact_id_kind` = ?));


-- Make the table of the ledger, and add a row

DESCRIBE TABLE `crm`.`interactions_ledger`;

CREATE TABLE IF NOT EXISTS `crm`.`interactions_ledger` (
  `file` STRING NOT NULL COMMENT 'the file that the try wrote in the lake\'s ledger; the row\'s key',
  `step` STRING NOT NULL COMMENT 'one of: list, extract, publish, split, normalize_part, normalize, load, request, reopen, plan_erasure, erase',
  `state` STRING NOT NULL COMMENT 'success, failed or deferred',
  `error` STRING COMMENT 'the kind of error that ended the try',
  `vendor` STRING COMMENT 'registry name',
  `account` STRING COMMENT 'the organisation: the connection\'s host unless set',
  `window_start` TIMESTAMP COMMENT 'start of the window; null for all time',
  `window_end` TIMESTAMP COMMENT 'its end, exclusive',
  `windows` INT NOT NULL COMMENT 'windows that the step wrote',
  `batch` INT COMMENT 'the batch of the window\'s contacts, from 0',
  `batches` INT COMMENT 'batches of the window',
  `started_at` TIMESTAMP NOT NULL COMMENT 'when the try began',
  `ended_at` TIMESTAMP NOT NULL COMMENT 'when it ended',
  `seconds` DOUBLE NOT NULL COMMENT 'its duration',
  `requests` BIGINT NOT NULL COMMENT 'requests sent by this try',
  `retries` BIGINT NOT NULL COMMENT 'requests sent again after a fault',
  `throttled` BIGINT NOT NULL COMMENT 'refusals to slow down',
  `throttled_seconds` DOUBLE NOT NULL COMMENT 'seconds during which nothing was sent because of them',
  `received_bytes` BIGINT NOT NULL COMMENT 'bytes of the vendor\'s responses, uncompressed',
  `rows` BIGINT COMMENT 'rows written; null if the try failed',
  `bytes` BIGINT COMMENT 'bytes of the files written; null for a table',
  `rejects` BIGINT COMMENT 'records of the window that cannot be read',
  `alerts` BIGINT COMMENT 'unusual things about the window, of a step that looks for them',
  `contacts` BIGINT COMMENT 'contacts asked, of an extraction or a request',
  `ok` BIGINT COMMENT 'contacts with the outcome ok',
  `empty` BIGINT COMMENT 'contacts with the outcome empty',
  `not_found` BIGINT COMMENT 'contacts with the outcome not_found',
  `deleted` BIGINT COMMENT 'contacts with the outcome deleted',
  `failed` BIGINT COMMENT 'contacts with the outcome failed',
  `dag_id` STRING COMMENT 'the DAG',
  `run_id` STRING COMMENT 'the run, or a digest of its id if a person chose it',
  `task_id` STRING COMMENT 'the task',
  `map_index` INT COMMENT 'its place among the mapped tasks; -1 if it is not mapped',
  `attempt` INT COMMENT 'the number of the try, from 1',
  `version` STRING NOT NULL COMMENT 'the version of this package'
)
USING DELTA
CLUSTER BY (`file`)
TBLPROPERTIES ('delta.isolationLevel' = 'Serializable');

DESCRIBE TABLE `crm`.`interactions_ledger`;

ALTER TABLE `crm`.`interactions_ledger` SET TBLPROPERTIES ('interactions.schema' = 'Tries of steps of contact interactions, schema version 1');

SELECT max(`file`) FROM `crm`.`interactions_ledger`;

MERGE INTO `crm`.`interactions_ledger` AS old
USING (SELECT CAST('date=2026-01-03/20260103T000500000000Z-success-0123456789abcdef-0123456789ab.parquet' AS STRING) AS `file`, CAST('extract' AS STRING) AS `step`, CAST('success' AS STRING) AS `state`, CAST(NULL AS STRING) AS `error`, CAST('which50' AS STRING) AS `vendor`, CAST('acme' AS STRING) AS `account`, CAST(NULL AS TIMESTAMP) AS `window_start`, CAST(NULL AS TIMESTAMP) AS `window_end`, CAST('1' AS INT) AS `windows`, CAST(NULL AS INT) AS `batch`, CAST(NULL AS INT) AS `batches`, CAST('2026-01-03 00:05:00+00:00' AS TIMESTAMP) AS `started_at`, CAST('2026-01-03 00:05:00+00:00' AS TIMESTAMP) AS `ended_at`, CAST('1.5' AS DOUBLE) AS `seconds`, CAST('0' AS BIGINT) AS `requests`, CAST('0' AS BIGINT) AS `retries`, CAST('0' AS BIGINT) AS `throttled`, CAST('0.0' AS DOUBLE) AS `throttled_seconds`, CAST('0' AS BIGINT) AS `received_bytes`, CAST(NULL AS BIGINT) AS `rows`, CAST(NULL AS BIGINT) AS `bytes`, CAST(NULL AS BIGINT) AS `rejects`, CAST(NULL AS BIGINT) AS `alerts`, CAST(NULL AS BIGINT) AS `contacts`, CAST(NULL AS BIGINT) AS `ok`, CAST(NULL AS BIGINT) AS `empty`, CAST(NULL AS BIGINT) AS `not_found`, CAST(NULL AS BIGINT) AS `deleted`, CAST(NULL AS BIGINT) AS `failed`, CAST(NULL AS STRING) AS `dag_id`, CAST(NULL AS STRING) AS `run_id`, CAST(NULL AS STRING) AS `task_id`, CAST(NULL AS INT) AS `map_index`, CAST(NULL AS INT) AS `attempt`, CAST('0.1.0' AS STRING) AS `version`) AS new
ON old.`file` = new.`file`
WHEN NOT MATCHED THEN INSERT (`file`, `step`, `state`, `error`, `vendor`, `account`, `window_start`, `window_end`, `windows`, `batch`, `batches`, `started_at`, `ended_at`, `seconds`, `requests`, `retries`, `throttled`, `throttled_seconds`, `received_bytes`, `rows`, `bytes`, `rejects`, `alerts`, `contacts`, `ok`, `empty`, `not_found`, `deleted`, `failed`, `dag_id`, `run_id`, `task_id`, `map_index`, `attempt`, `version`)
VALUES (new.`file`, new.`step`, new.`state`, new.`error`, new.`vendor`, new.`account`, new.`window_start`, new.`window_end`, new.`windows`, new.`batch`, new.`batches`, new.`started_at`, new.`ended_at`, new.`seconds`, new.`requests`, new.`retries`, new.`throttled`, new.`throttled_seconds`, new.`received_bytes`, new.`rows`, new.`bytes`, new.`rejects`, new.`alerts`, new.`contacts`, new.`ok`, new.`empty`, new.`not_found`, new.`deleted`, new.`failed`, new.`dag_id`, new.`run_id`, new.`task_id`, new.`map_index`, new.`attempt`, new.`version`);
