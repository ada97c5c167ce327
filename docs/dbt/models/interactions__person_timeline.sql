select
    person_id,
    row_number() over (partition by person_id order by occurred_at, vendor, account, interaction_id) as event_number,
    lag(occurred_at) over (partition by person_id order by occurred_at, vendor, account, interaction_id)
        as previous_occurred_at,
    occurred_at,
    vendor,
    account,
    interaction_id,
    contact_id,
    contact_id_kind,
    channel,
    action,
    event_name,
    native_type,
    status,
    subject,
    campaign_id,
    campaign_name,
    message_id
from {{ ref('interactions__events') }}
