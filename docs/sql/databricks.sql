-- Databricks: the statements for the table crm.interactions. Made by docs/warehouse_sql.py.

-- Make the table

DESCRIBE TABLE `crm`.`interactions`;

CREATE TABLE IF NOT EXISTS `crm`.`interactions` (
  `vendor` STRING NOT NULL COMMENT 'registry name',
  `account` STRING NOT NULL COMMENT 'the organisation: the connection\'s host unless set',
  `interaction_id` STRING NOT NULL COMMENT 'the vendor\'s id if it is unique, else a digest',
  `contact_id` STRING NOT NULL COMMENT 'the identifier asked with',
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
  `person_id` STRING COMMENT 'the person, by the map of identities; null if it is unknown'
)
USING DELTA
CLUSTER BY (`vendor`, `account`, `interaction_id`)
TBLPROPERTIES ('delta.isolationLevel' = 'Serializable');

DESCRIBE TABLE `crm`.`interactions`;

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 2');


-- Add a column that a later version has

DESCRIBE TABLE `crm`.`interactions`;

SHOW TBLPROPERTIES `crm`.`interactions` ('interactions.schema');

ALTER TABLE `crm`.`interactions` ADD COLUMN `device` STRING;

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 3');


-- Load a window of two files

DESCRIBE TABLE `crm`.`interactions`;

SHOW TBLPROPERTIES `crm`.`interactions` ('interactions.schema');

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 2');

SELECT count(*), count(DISTINCT `interaction_id`)
FROM (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING', partitionColumns => '')
UNION ALL SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING', partitionColumns => ''));

MERGE INTO `crm`.`interactions` AS old
USING (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING', partitionColumns => '')
UNION ALL SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING', partitionColumns => '')) AS new
ON old.`interaction_id` = new.`interaction_id` AND old.`vendor` = 'which50' AND old.`account` = 'acme'
WHEN MATCHED AND new.`extracted_at` >= old.`extracted_at` AND (new.`contact_id` IS DISTINCT FROM old.`contact_id`
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
  OR new.`person_id` IS DISTINCT FROM old.`person_id`)
THEN UPDATE SET `contact_id` = new.`contact_id`, `contact_id_kind` = new.`contact_id_kind`, `occurred_at` = new.`occurred_at`, `channel` = new.`channel`, `action` = new.`action`, `native_type` = new.`native_type`, `status` = new.`status`, `subject` = new.`subject`, `campaign_id` = new.`campaign_id`, `campaign_name` = new.`campaign_name`, `message_id` = new.`message_id`, `count` = new.`count`, `delivered_at` = new.`delivered_at`, `updated_at` = new.`updated_at`, `attributes` = new.`attributes`, `extracted_at` = new.`extracted_at`, `window_start` = new.`window_start`, `window_end` = new.`window_end`, `person_id` = new.`person_id`
WHEN NOT MATCHED THEN INSERT (`vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`)
VALUES (new.`vendor`, new.`account`, new.`interaction_id`, new.`contact_id`, new.`contact_id_kind`, new.`occurred_at`, new.`channel`, new.`action`, new.`native_type`, new.`status`, new.`subject`, new.`campaign_id`, new.`campaign_name`, new.`message_id`, new.`count`, new.`delivered_at`, new.`updated_at`, new.`attributes`, new.`extracted_at`, new.`window_start`, new.`window_end`, new.`person_id`);


-- Load a window with an interaction that two contacts have

DESCRIBE TABLE `crm`.`interactions`;

SHOW TBLPROPERTIES `crm`.`interactions` ('interactions.schema');

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 2');

SELECT count(*), count(DISTINCT `interaction_id`)
FROM (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING', partitionColumns => '')
UNION ALL SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING', partitionColumns => ''));

MERGE INTO `crm`.`interactions` AS old
USING (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`, row_number() OVER (PARTITION BY `interaction_id` ORDER BY `extracted_at` DESC, `occurred_at` DESC, `contact_id`, `contact_id_kind`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `window_start`, `window_end`, `person_id`) AS nth FROM (SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/1.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING', partitionColumns => '')
UNION ALL SELECT `vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id` FROM read_files('s3://bucket/lake/interactions/vendor=which50/account=acme/date=2026-01-02/2.parquet', format => 'parquet', schema => 'vendor STRING, account STRING, interaction_id STRING, contact_id STRING, contact_id_kind STRING, occurred_at TIMESTAMP, channel STRING, action STRING, native_type STRING, status STRING, subject STRING, campaign_id STRING, campaign_name STRING, message_id STRING, count INT, delivered_at TIMESTAMP, updated_at TIMESTAMP, attributes STRING, extracted_at TIMESTAMP, window_start TIMESTAMP, window_end TIMESTAMP, person_id STRING', partitionColumns => ''))) ranked WHERE nth = 1) AS new
ON old.`interaction_id` = new.`interaction_id` AND old.`vendor` = 'which50' AND old.`account` = 'acme'
WHEN MATCHED AND new.`extracted_at` >= old.`extracted_at` AND (new.`contact_id` IS DISTINCT FROM old.`contact_id`
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
  OR new.`person_id` IS DISTINCT FROM old.`person_id`)
THEN UPDATE SET `contact_id` = new.`contact_id`, `contact_id_kind` = new.`contact_id_kind`, `occurred_at` = new.`occurred_at`, `channel` = new.`channel`, `action` = new.`action`, `native_type` = new.`native_type`, `status` = new.`status`, `subject` = new.`subject`, `campaign_id` = new.`campaign_id`, `campaign_name` = new.`campaign_name`, `message_id` = new.`message_id`, `count` = new.`count`, `delivered_at` = new.`delivered_at`, `updated_at` = new.`updated_at`, `attributes` = new.`attributes`, `extracted_at` = new.`extracted_at`, `window_start` = new.`window_start`, `window_end` = new.`window_end`, `person_id` = new.`person_id`
WHEN NOT MATCHED THEN INSERT (`vendor`, `account`, `interaction_id`, `contact_id`, `contact_id_kind`, `occurred_at`, `channel`, `action`, `native_type`, `status`, `subject`, `campaign_id`, `campaign_name`, `message_id`, `count`, `delivered_at`, `updated_at`, `attributes`, `extracted_at`, `window_start`, `window_end`, `person_id`)
VALUES (new.`vendor`, new.`account`, new.`interaction_id`, new.`contact_id`, new.`contact_id_kind`, new.`occurred_at`, new.`channel`, new.`action`, new.`native_type`, new.`status`, new.`subject`, new.`campaign_id`, new.`campaign_name`, new.`message_id`, new.`count`, new.`delivered_at`, new.`updated_at`, new.`attributes`, new.`extracted_at`, new.`window_start`, new.`window_end`, new.`person_id`);


-- Erase two contacts

DESCRIBE TABLE `crm`.`interactions`;

SHOW TBLPROPERTIES `crm`.`interactions` ('interactions.schema');

ALTER TABLE `crm`.`interactions` SET TBLPROPERTIES ('interactions.schema' = 'Contact interactions, schema version 2');

DELETE FROM `crm`.`interactions`
WHERE `vendor` = ? AND `account` = ? AND ((`contact_id` = ? AND `contact_id_kind` = ?) OR (`contact_id` = ? AND `contact_id_kind` = ?));
