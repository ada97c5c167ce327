with interactions as (

    select * from {{ ref('stg_interactions__interactions') }}

),

staged as (

    select
        *,
        channel in ('{{ var("interactions_message_channels") | join("', '") }}') as is_message
    from interactions

)

select
    *,
    {{ interactions_utc_date('occurred_at') }} as date_day,
    {{ dbt.concat(['channel', "'_'", 'action']) }} as event_name,
    case when is_message then coalesce(message_id, interaction_id) end as message_key,
    -- A vendor's last status implies the statuses before it.
    case
        when not is_message then 0
        when action = 'clicked' then 4
        when action = 'opened' then 3
        when action = 'delivered' then 2
        when action in ('sent', 'bounced') then 1
        else 0
    end as stage
from staged
