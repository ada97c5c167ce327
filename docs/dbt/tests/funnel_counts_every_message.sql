-- Each message is in the funnel of one day: the days' sums are the sums over messages.
select channel
from (
    select channel, count(*) as messages, 0 as sent from {{ ref('int_interactions__messages') }}
    where stage >= 1 group by channel
    union all
    select channel, 0 as messages, sum(sent) as sent from {{ ref('interactions__daily_engagement') }} group by channel
) as counted
group by channel
having sum(messages) <> sum(sent)
