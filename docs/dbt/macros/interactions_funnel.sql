{#- How many messages came at least so far, and how many bounced. -#}
{% macro interactions_funnel() %}
    {%- for stage in ['sent', 'delivered', 'opened', 'clicked'] %}
    sum(case when stage >= {{ loop.index }} then 1 else 0 end) as {{ stage }},
    {%- endfor %}
    sum(bounced) as bounced
{%- endmacro %}
