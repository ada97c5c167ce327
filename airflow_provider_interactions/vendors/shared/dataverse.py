"""What calls of Dataverse's Web API have in common."""

#: Headers of every call ("Compose HTTP requests and handle errors", learn.microsoft.com, read 2026-11).
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json; charset=utf-8",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "If-None-Match": "null",
}
