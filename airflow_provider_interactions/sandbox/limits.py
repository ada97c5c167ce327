"""What the sandbox cannot know, as a section for the documentation."""

LIMITS = """\
## Limits of the sandbox's fidelity

The sandbox was written from published pages. Nobody has compared it with a live service, so a pipeline that passes
here is right about what the pages say, not about what a vendor really does.

For every vendor:

- Plain HTTP on 127.0.0.1 only; no TLS, no HTTP/2, no compression, no proxy in between.
- Rate limits count per vendor in one process and one sliding window; the length of a pause is the sandbox's choice.
- Text, names and addresses are made up; sizes and frequencies of types are not those of a real audience.

Dynamics 365 Marketing, a choice of the sandbox because the page does not say (most can be switched by an option):

- `DateFrom` and `DateTo` are whole days in UTC (`zone_offset_minutes`), `DateTo` included (`date_to_inclusive`).
- `Top`: 500 at most and by default (`page_size`); 0 means the default. Records come in no order of time.
- An unknown contact is 404 0x80040217 (`unknown_contact`), an unknown type 400 0x80040265 (`unknown_type`).
- `SkipToken` never expires and belongs to one query; nothing is ever forgotten (retention is unpublished).
- A contact id in braces is refused with 400; that it fails is a third party's remark, the status is a guess.
- All types but the published EmailSent record: fields inferred from the Common Data Model, written in PascalCase;
  that the action answers so is an inference. `InteractionType` stands in every record (`type_in_every_record`),
  though the model's Form and Segment tables lack it. ActivityContactBlocked has no page; a journey step is assumed.
- Fractions of a second in `Timestamp` occur here; the only published record has whole seconds.
- The body of a 401 is empty; the 404 of a removed action is inferred, no transcript of one was found.
- The token endpoint knows one tenant, one application and one secret; a client assertion is checked for its shape,
  not its signature, audience or time. Managed identities have no endpoint here. Roles and privileges do not exist.
- Contacts: `$select`, `$top`, `$count`, `$orderby=contactid` and `$filter` on `statecode` and `modifiedon` joined by
  `and`; no change tracking, no `$expand`, no FetchXML, no writes. The paging cookie follows the published form, its
  content is the sandbox's own.

Capillary, where the vendor's pages are silent or contradict each other (most can be switched by an option):

- Zone of `sentDate` and `sent_time`: unpublished (`time_zone`, by default UTC); `deliveredTime` is in UTC (`false_z`).
  In a zone with summer time the repeated hour of autumn cannot be told apart by any client; the oracle knows it.
- All times have whole seconds; in the published samples nearly all are multiples of ten seconds.
- v1.1 pages by messages in total, `phone` and `sms` counted separately (`paging`); no maximum (`limit_max`); `count`
  tells the messages of the answer (`count`). `start_date` and `end_date` are whole days, both included (`dates`).
- v1.1 exists in two editions, as printed about 2013 and in 2025; which contact gets which is drawn (`edition`).
- Every channel but email, sms, phone and viber: no sample has messages in them; they are written the same way.
- `type` narrows the channels (`type_filters`); a v2 sample with `type=viber` shows all of them.
- Statuses CLICKED and QUEUED_AT_GATEWAY are the sandbox's own, to show an open set.
- No HTTP status of a v2 error is published: 200 for an error of the customer (`error_status`), 403 for a missing
  identifier, 400 for other input. v1.1 answers 200 but for a missing login, where 401 is a guess (`login_in_body`).
- 618 and 8109 as answers of these paths, 1012 for a deleted customer in v1.1: inferred from the table of codes.
- A refused token request has HTTP 200, `data` null and `errors` (`token_failure_status`); tokens are no JWT here.
- Bodies of 429, 461, 503, 504 and 521 in the family's form; that 429 carries Retry-After is a guess (variant `bare`
  leaves it out). Nothing limits the size of a v2 history; nothing is ever forgotten.
- Check-ins, tweets and surveys occur in the 2013 edition as in its sample, without messages: the oracle has no facts
  of them. Other paths, the plural spelling, attribution headers, card numbers and tills' own views do not exist.
- The XML answer of v1.1 is a plain conversion of the JSON.

Which50, whose pages leave much open (most can be switched by an option):

- Logging in: no scheme is published. Bearer, a named header, Basic and two OAuth grants are guesses (`auth`), as are
  the token endpoint, its path and its answers. Roles do not exist; `permitted` refuses everything.
- Error bodies follow ASP.NET Web API's and IIS's habits (`error_bodies`); only the statuses 401, 403, 404 and 500 are
  published. 400, 405 and 429 (with Retry-After) are guesses. The vendor publishes no limits.
- Encrypted contact ids: the alphabet is unknown. Three of four kinds here hold `/`, `+`, `=` or `%`, to show that
  escaping matters; IIS refuses some of these by default, so a live service may well have none.
- The order of a history and whether `Id` names the asset: unpublished. Here there is no order and `Id` is the asset's.
- All statuses, the unnamed types, null and zero campaigns and the field `SandboxNote` are the sandbox's own.
- Offsets are those of Irish time, and now and then others (`offset_minutes`); a guess from crawls of samples. JSON
  is sent without line breaks whatever its media type; an unknown `Accept` is answered with JSON.
- XML of an interaction has the shape of the published sample. That of contacts and lists is inferred: which members
  stand in the base class's namespace, the types of `Values`, `ValidationWarnings` as texts. Nulls are `i:nil`.
- A list's contacts come in one answer, since no paging is known. Journeys, fields of lists, summaries, webhooks and
  writes do not exist.
- The fault `earlier_status` tells each interaction's status before the last; no row appears or vanishes later.

Luminate Online, where the vendor's pages are silent (most can be switched by an option):

- Both ends of a date range are included (`end_inclusive`); a date without an offset is refused (`naive_dates`), and
  so is a day alone. Listings are ordered by `creationDate`, rows of one instant by id; no other sort column and no
  filter column is known here (code 50), and `interaction_subject` must be the whole subject.
- `list_page_size` has no maximum (`max_page_size`, `above_maximum`); no total is told. Rows that appear while a
  client pages are only simulated (`rows_arrive`): one more row from the second page on, always the same one.
- An empty JSON answer is `{}`, `""` or null, drawn. Several notes, absent, nil and empty fields, stray white space,
  the order of keys and the field `sandboxField` are the sandbox's own; only one sample of each form is published.
- Standard types beyond 0, 1 and 6 are made up. Custom types that are not public occur in a constituent's listing and
  are refused by listInteractions (`private_types`).
- Codes by inference: 1 for another `v` or an unknown `response_format`, 6 before anything is said of key and login,
  9 without key, login or identifier, 19 for an unknown group, 26 for an unknown or unlisted type, 27 for an unknown
  interaction, 18 for an unknown field of a member. The texts of errors are the sandbox's. Code 8 is had by one address,
  household@example.org. The order of the checks is a guess: method of HTTP, address, method, key, login, parameters.
- The address that counts is the one the connection comes from; a login in the query string is accepted and counted
  (`query_credentials`; statistics, `seen`), as are unknown parameters. A session cookie is set but never logs in.
- No limit is published: a refusal is a 429 or 503 with an HTML page and Retry-After, as from something in front.
- getGroupMembers: where `total_number` stands and that members are nested as in getUser are inferred; four groups,
  1001 (all), 1002 (active ones), 1003 (one) and 1004 (nobody). No listGroups, no SOAP, no client servlet, no writes,
  no permissions, no security categories.
"""
