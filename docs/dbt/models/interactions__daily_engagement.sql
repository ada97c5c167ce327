with days as (

    select
        date_day,
        vendor,
        account,
        channel,
        count(*) as interactions,
        count(distinct person_id) as people,
        sum(case when action = 'unsubscribed' then 1 else 0 end) as unsubscribed
    from {{ ref('interactions__events') }}
    group by date_day, vendor, account, channel

),

funnel as (

    select
        date_day,
        vendor,
        account,
        channel,
        {{ interactions_funnel() }}
    from {{ ref('int_interactions__messages') }}
    group by date_day, vendor, account, channel

)

select
    days.date_day,
    days.vendor,
    days.account,
    days.channel,
    days.interactions,
    days.people,
    {% for count in ['sent', 'delivered', 'opened', 'clicked', 'bounced'] -%}
    coalesce(funnel.{{ count }}, 0) as {{ count }},
    {% endfor -%}
    days.unsubscribed,
    {{ interactions_rate('funnel.opened', 'funnel.delivered') }} as open_rate,
    {{ interactions_rate('funnel.clicked', 'funnel.delivered') }} as click_rate
from days
left join funnel
    on days.date_day = funnel.date_day
    and days.vendor = funnel.vendor
    and days.account = funnel.account
    and days.channel = funnel.channel
