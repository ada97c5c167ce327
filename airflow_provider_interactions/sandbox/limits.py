"""What the sandbox cannot know, as a section for the documentation."""

LIMITS = """\
## Limits of the sandbox's fidelity

The sandbox follows published pages. Nobody has compared it with a live service. A pipeline that passes here agrees with
the pages, not necessarily with the vendor.

For every vendor:

- Plain HTTP, on 127.0.0.1 unless another host is given: no TLS, no HTTP/2, no compression, no proxy in between.
- Rate limits count per vendor in one process, in a sliding window or a token bucket (`RateLimit.kind`). A pause is as
  long as the limit needs for one more request, rounded up to whole seconds. Most vendors publish neither.
- Text, names and addresses are invented. Real audiences have other sizes and frequencies of types.
- It has only what the connectors call. Other paths, parameters and formats are refused or absent.

Dynamics 365 Marketing, where the page is silent (most can be changed by an option):

- `DateFrom` and `DateTo` are whole days in UTC (`zone_offset_minutes`), `DateTo` included (`date_to_inclusive`).
- `Top`: 500 at most and by default (`page_size`); 0 means the default. Records come in no order of time.
- An unknown contact gives 404 0x80040217 (`unknown_contact`), an unknown type 400 0x80040265 (`unknown_type`).
- `SkipToken` never expires and belongs to one query; nothing is ever forgotten (retention is unpublished).
- A contact id in braces is refused with 400. A third party reports that it fails; the status is a guess.
- Only the EmailSent record is published. The fields of all other types are inferred from the Common Data Model and
  written in PascalCase. `InteractionType` is in every record (`type_in_every_record`), although the model's Form and
  Segment tables lack it. ActivityContactBlocked has no page; a journey step is assumed.
- Fractions of a second in `Timestamp` occur here; the only published record has whole seconds.
- The body of a 401 is empty. The 404 of a removed action is inferred; no transcript of such a response was found.
- The token endpoint knows one tenant, one application and one secret. It takes no certificates, because
  azure-identity demands HTTPS, and managed identities have no endpoint here. Roles and privileges do not exist.
- Contacts: `$select`, `$orderby=contactid`, and `$filter` on `statecode` and `modifiedon` joined by `and`. The paging
  cookie has the published form; its content is the sandbox's own.

Capillary, where the vendor's pages are silent or contradict each other (most can be changed by an option):

- Zone of `sentDate` and `sent_time`: unpublished (`time_zone`, by default UTC); `deliveredTime` is in UTC (`false_z`).
  In a zone with summer time, no client can distinguish the two repeated hours of autumn; the oracle can.
- All times have whole seconds; in the published samples nearly all are multiples of ten seconds.
- v1.1 pages by messages in total, `phone` and `sms` counted separately (`paging`); no maximum (`limit_max`); `count` is
  the number of messages in the answer (`count`).
- v1.1 exists in two editions, as printed about 2013 and in 2025. Each contact gets one at random (`edition`).
- No sample has messages in other channels than email, sms, phone and viber. They are written in the same way.
- `type` narrows the channels (`type_filters`); a v2 sample with `type=viber` shows all of them.
- Statuses CLICKED and QUEUED_AT_GATEWAY are the sandbox's own, to show an open set.
- No HTTP status of a v2 error is published: 200 for an error of the customer (`error_status`), 403 for a missing
  identifier, 400 for other input. v1.1 answers 200 but for a missing login, where 401 is a guess.
- 8109 as an answer of v2, 1012 for a deleted customer in v1.1: inferred from the table of codes.
- A refused token request has HTTP 200, `data` null and `errors`; tokens are no JWT here.
- Bodies of 429, 461, 503, 504 and 521 in the family's form; that 429 has Retry-After is a guess (variant `bare`
  leaves it out). Nothing limits the size of a v2 history; nothing is ever forgotten.
- Check-ins, tweets and surveys occur in the 2013 edition as in its sample, without messages: the oracle has no facts
  for them.

Which50, where the pages leave much open (most can be changed by an option):

- Logging in: no scheme is published. Bearer, a named header, Basic and two OAuth grants are guesses (`auth`), as are
  the token endpoint, its path and its answers. Roles do not exist.
- Error bodies follow the habits of ASP.NET Web API; only the statuses 401, 403, 404 and 500 are published. 400 and 429
  (with Retry-After) are guesses. The vendor publishes no limits.
- Encrypted contact ids: the alphabet is unknown. Three of four kinds here hold `/`, `+`, `=` or `%`, to show that
  escaping matters; IIS refuses some of these by default, so a live service may well have none.
- The order of a history and whether `Id` names the asset: unpublished. Here the order is arbitrary and `Id` is the
  asset's.
- All statuses, the unnamed types, null and zero campaigns and the field `SandboxNote` are the sandbox's own.
- Offsets are those of Irish time, and now and then others (`offset_minutes`); a guess from crawls of samples. JSON
  is sent without line breaks.
- XML of an interaction has the shape of the published sample. That of contacts and lists is inferred: which members
  stand in the base class's namespace, the types of `Values`, `ValidationWarnings` as texts. Nulls are `i:nil`.
- All contacts of a list come in one response, because no paging is known.
- The fault `earlier_status` shows each interaction's status before the last; no row appears or vanishes later.

Luminate Online, where the vendor's pages are silent (most can be changed by an option):

- Both ends of a date range are included (`end_inclusive`); a date without an offset, or without a time, is refused.
  Listings are ordered by `creationDate`, rows of one instant by id. `interaction_subject` must be the whole subject.
- `list_page_size` has no maximum (`max_page_size`, `above_maximum`); an answer has no total. Rows that appear while a
  client pages are only simulated (`rows_arrive`): one more row from the second page on, always the same one.
- An empty JSON answer is `{}`, `""` or null, drawn. Several notes, absent, nil and empty fields, stray white space,
  the order of keys and the field `sandboxField` are the sandbox's own; only one sample of each form is published.
- Standard types other than 0, 1 and 6 are invented. Custom types that are not public occur in a constituent's listing
  and are refused by listInteractions (`private_types`).
- Codes by inference: 1 for another `v` or an unknown `response_format`, 6 before key and login are looked at, 9 without
  key, login or identifier, 19 for an unknown group, 26 for an unknown or unlisted type, 27 for an unknown interaction.
  The texts of errors are the sandbox's. One address has code 8: household@example.org. The order of the checks is a
  guess: method, key, login, parameters.
- Stricter than the vendor: a login in the query string is refused with 3, an unknown parameter with 50, a member's
  field other than `cons_id` with 18. A session cookie is set but never logs in.
- No limit is published: a refusal is a 429 or 503 with an HTML page and Retry-After, as from something in front.
- getGroupMembers: where `total_number` stands is inferred. There are four groups: 1001 (all), 1002 (active ones), 1003
  (one) and 1004 (nobody).

Customer Insights - Journeys, where hardly anything but the columns is published (most can be changed by an option):

- Features of the Delta tables (`delta`), their files' sizes, the managed lake's format (`format`), the locations in its
  manifest (`location`) and the case of folders' names (`lower_case`) are choices. Tables are written by hand from
  Delta's protocol: deletion vectors, column mapping by name, partitions, checkpoints, compactions, files without
  statistics. There are no checkpoints in several parts, no row tracking and no liquid clustering.
- Rows arrive an hour after their day, late rows a day or two later. A real lake gets rows all day long. Rows that a
  caller of the sandbox adds arrive at once.
- Which rows lack columns, how ProfileType is spelled, whether rows of outbound marketing have new ids, and what an
  anonymous visit looks like are guesses. CSV files have a header and US-format times without fractions; in the other
  files a Timestamp may be null.
- OneLake responds as Azure's Blob storage does, and also lists as Data Lake Storage does. The refusals for a mix of ids
  and names and for a principal without a role have guessed codes. There are no shortcuts to ask for, no regions and no
  SQL endpoint.
- A shared access signature is opaque, although Azure's has readable parts. The managed lake takes no bearer token.
- `RetrieveAnalyticsStoreAccess` refuses more than 60 minutes; the status is a guess, as is that of a missing privilege
  (`may_read_lake`). The answers of the blob proxy are known from one public client.
"""
