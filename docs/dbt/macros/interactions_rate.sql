{#- A share with six decimals; null if there is nothing to divide by. -#}
{% macro interactions_rate(part, whole) %}
    {{- "cast(cast(" ~ part ~ " as " ~ dbt.type_numeric() ~ ") / nullif(" ~ whole ~ ", 0) as " ~ dbt.type_numeric() ~ ")" -}}
{% endmacro %}
