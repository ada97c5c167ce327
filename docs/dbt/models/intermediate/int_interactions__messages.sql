-- One row for each message that a contact got: events of one message, or one row with the last status.
select
    vendor,
    account,
    contact_id,
    channel,
    campaign_id,
    message_key,
    max(campaign_name) as campaign_name,
    min(person_id) as person_id,
    min(occurred_at) as first_occurred_at,
    min(date_day) as date_day,
    max(stage) as stage,
    max(case when action = 'bounced' then 1 else 0 end) as bounced
from {{ ref('interactions__events') }}
where is_message
group by vendor, account, contact_id, channel, campaign_id, message_key
