"""Raw windows of short ASCII values, all of one type, as the vendors' documented samples have them."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)

#: Rows of a contact, and milliseconds between two of them: 500 lie within a day.
PER_CONTACT, STEP = 500, 150_000

_DYNAMICS = (
    '{"InteractionId":"%(id)032X","InteractionType":"EmailSent","Timestamp":"%(at)sZ",'
    '"OrganizationId":"e47e99c2-20e3-4ef3-bbd4-288258bd6bf9","EmailDomain":"microsoft.com",'
    '"ActivityId":"b6aeb700-f1c1-4cb1-e8f8-e883eac6bfbc","SendingId":"5a019802-f763-3b72-fc91-0a9c95b67c5f",'
    '"ContactId":"%(contact)s","MessageId":"5a2f3e76-9518-e811-a951-000d3a38caec",'
    '"CustomerJourneyId":"4c3846a1-9618-e811-a951-000d3a37cafc",'
    '"CustomerJourneyIterationId":"538825cf-fe1c-4fee-a671-7984eabb62eb","UsageType":"CustomerJourney",'
    '"EmailAddressUsed":"sample@adventure-works.com"}'
)
_LUMINATE = (
    '{"interactionId":"%(id)d","interactionTypeId":"1000","categoryId":"1000","referenceId":"0","consId":"%(contact)s",'
    '"createdBy":"1001001","creationDate":"%(at)s.283Z","subject":"Sample Subject 0","count":"1","note":{'
    '"categoryId":"1000","typeOfConsNote":"normal","consId":"%(contact)s","createdBy":"1001001",'
    '"creationDate":"%(at)s.283Z","interactionId":"%(id)d","modifiedBy":"1001001","modifiedDate":"%(at)s.283Z",'
    '"noteId":"1000","subject":"Sample Subject 0","text":"Lorem ipsum dolor sit amet","type":"comment"}}'
)
_LUMINATE_XML = (
    '<interaction xmlns="http://convio.com/crm/v1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<interactionId>%(id)d</interactionId><interactionTypeId>1000</interactionTypeId><categoryId>1000</categoryId>"
    "<referenceId>0</referenceId><consId>%(contact)s</consId><createdBy>1001001</createdBy>"
    "<creationDate>%(at)s.283Z</creationDate><subject>Sample Subject 0</subject><count>1</count><note>"
    "<categoryId>1000</categoryId><typeOfConsNote>normal</typeOfConsNote><consId>%(contact)s</consId>"
    "<createdBy>1001001</createdBy><creationDate>%(at)s.283Z</creationDate><interactionId>%(id)d</interactionId>"
    "<modifiedBy>1001001</modifiedBy><modifiedDate>%(at)s.283Z</modifiedDate><noteId>1000</noteId>"
    "<subject>Sample Subject 0</subject><text>Lorem ipsum dolor sit amet</text><type>comment</type></note>"
    "</interaction>"
)
_WHICH50 = (
    '{"Id":%(id)d,"Interaction":"Email","Name":"sample string 3","Occurred":"%(at)s.0527074+00:00",'
    '"Status":"Sent","CampaignId":1,"CampaignName":"sample string 5"}'
)
_WHICH50_XML = (
    '<ContactInteraction xmlns="http://schemas.datacontract.org/2004/07/W50API.Models.DTO.Contacts" '
    'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><CampaignId>1</CampaignId>'
    "<CampaignName>sample string 5</CampaignName><Id>%(id)d</Id><Interaction>Email</Interaction>"
    '<Name>sample string 3</Name><Occurred xmlns:d3p1="http://schemas.datacontract.org/2004/07/System">'
    "<d3p1:DateTime>%(at)s.0527074Z</d3p1:DateTime><d3p1:OffsetMinutes>0</d3p1:OffsetMinutes></Occurred>"
    "<Status>Sent</Status></ContactInteraction>"
)
_CAPILLARY = (
    '{"id":%(id)d,"receiver":"sample@example.org","subject":"Rewards redeemed","campaignId":469,"status":"SENT",'
    '"sentDate":"%(at_local)s","userId":177269954}'
)

#: By vendor and format: a record, the type that is asked for, and what the response says outside the record.
SAMPLES = {
    ("dynamics_marketing", "json"): (_DYNAMICS, "EmailSent", ""),
    ("luminate_online", "json"): (_LUMINATE, "", ""),
    ("luminate_online", "xml"): (_LUMINATE_XML, "", ""),
    ("which50", "json"): (_WHICH50, "", ""),
    ("which50", "xml"): (_WHICH50_XML, "", ""),
    ("capillary", "json"): (_CAPILLARY, "", '{"channel":"email","time_zone":"UTC"}'),
}


def land(job, form, rows):
    """Write and publish a raw window of so many rows, 500 of a contact."""
    from airflow_provider_interactions.contract import Query
    from airflow_provider_interactions.extract.checkpoint import Checkpoint
    from airflow_provider_interactions.extract.commit import commit_window
    from airflow_provider_interactions.extract.outcomes import Outcome, count_outcomes
    from airflow_provider_interactions.extract.raw_table import PageRows
    from airflow_provider_interactions.extract.raw_writer import RawWriter
    from airflow_provider_interactions.lake.manifest import Counts

    _, asked_type, context = SAMPLES[job.vendor.name, form]
    contacts = job.contacts[: rows // PER_CONTACT]
    outcomes = [Outcome(contact.id, contact.kind, "ok", PER_CONTACT, 1, None) for contact in contacts]
    with RawWriter(job.lake, job.place, Checkpoint(extracted_at=job.extracted_at), asked=job.source_digest) as writer:
        for n, (contact, outcome) in enumerate(zip(contacts, outcomes, strict=True)):
            query = Query(contact, job.credentials.settings, job.options, asked_type or None)
            records, occurred = _build_records(job.vendor.name, form, contact.id, n)
            writer.add_page(PageRows(query, context, records, occurred, n))
            writer.add_outcome(outcome, n)
            if writer.full:
                writer.flush()
        counts = count_outcomes(outcomes) + Counts(received=rows, fetched=rows, requests=len(contacts))
        return commit_window(job.lake, [writer.finish(counts)])


def _build_records(name, form, contact, n):
    sample, _, _ = SAMPLES[name, form]
    times = [START + timedelta(milliseconds=STEP * place) for place in range(PER_CONTACT)]
    records = [
        sample
        % {
            "id": 1_000_000_000_000 + n * PER_CONTACT + place,
            "contact": contact,
            "at": f"{at:%Y-%m-%dT%H:%M:%S}",
            "at_local": f"{at:%d-%m-%Y %H:%M:%S}",
        }
        for place, at in enumerate(times)
    ]
    return [record.encode() for record in records], times
