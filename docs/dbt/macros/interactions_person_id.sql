{#- The person of a row: the variable `interactions_person_id`, or the table's column `person_id`. Where that is null, an
    identifier with its vendor and account.
    The escapes keep apart the account `a/b` and the account `a` of a contact whose identifier begins with `b/`. -#}
{% macro interactions_person_id() %}
    {%- set account = "replace(replace(account, '%', '%25'), '/', '%2F')" -%}
    {%- set contact = dbt.concat(['vendor', "'/'", account, "'/'", 'contact_id']) -%}
    {{ var('interactions_person_id') or 'coalesce(person_id, ' ~ contact ~ ')' }}
{%- endmacro %}
