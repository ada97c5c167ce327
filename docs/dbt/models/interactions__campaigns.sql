with messages as (

    select * from {{ ref('int_interactions__messages') }}
    where campaign_id is not null

),

funnel as (

    select
        vendor,
        account,
        channel,
        campaign_id,
        max(campaign_name) as campaign_name,
        min(first_occurred_at) as first_message_at,
        max(first_occurred_at) as last_message_at,
        count(distinct case when stage >= 1 then person_id end) as people,
        count(distinct case when stage >= 3 then person_id end) as people_opened,
        {{ interactions_funnel() }}
    from messages
    group by vendor, account, channel, campaign_id

),

leavers as (

    select distinct vendor, account, campaign_id, person_id
    from {{ ref('interactions__events') }}
    where action = 'unsubscribed' and campaign_id is not null

),

unsubscribed as (

    select
        messages.vendor,
        messages.account,
        messages.channel,
        messages.campaign_id,
        count(distinct messages.person_id) as unsubscribed
    from messages
    inner join leavers
        on messages.vendor = leavers.vendor
        and messages.account = leavers.account
        and messages.campaign_id = leavers.campaign_id
        and messages.person_id = leavers.person_id
    where messages.stage >= 1
    group by messages.vendor, messages.account, messages.channel, messages.campaign_id

),

joined as (

    select
        funnel.*,
        coalesce(unsubscribed.unsubscribed, 0) as unsubscribed
    from funnel
    left join unsubscribed
        on funnel.vendor = unsubscribed.vendor
        and funnel.account = unsubscribed.account
        and funnel.channel = unsubscribed.channel
        and funnel.campaign_id = unsubscribed.campaign_id

)

select
    *,
    {{ interactions_rate('delivered', 'sent') }} as delivery_rate,
    {{ interactions_rate('opened', 'delivered') }} as open_rate,
    {{ interactions_rate('clicked', 'delivered') }} as click_rate,
    {{ interactions_rate('clicked', 'opened') }} as click_to_open_rate,
    {{ interactions_rate('bounced', 'sent') }} as bounce_rate,
    {{ interactions_rate('unsubscribed', 'people') }} as unsubscribe_rate
from joined
