"""The names of e-mail clients, browsers, operating systems and device types by their GUIDs.

Source: "Map GUIDs to email clients, browsers, operating systems, and device types" (MicrosoftDocs/customer-insights,
``ci-docs/journeys/map-guids.md``, dated 2024-09-03, read 2026-11). The page calls the first column of the first table
EmailClientsId; the tables' column is EmailClientId.
"""

from __future__ import annotations

#: For each column, the name of the attribute that gets the words, and the words by GUID.
CLIENTS: dict[str, tuple[str, dict[str, str]]] = {
    "EmailClientId": (
        "EmailClientName",
        {
            "391123ee-6312-4dcf-9e2d-9027022804d8": "Gmail",
            "bb63337d-d8da-489a-9ee3-857154e5080c": "Apple Mail",
            "89945e01-90e2-408f-ac99-cd46b19e51d8": "Outlook",
            "caf15dba-5b51-4146-900d-6a8f5d2cafbf": "Yahoo",
            "7dc97a79-128e-4f2b-8e09-1708465c958a": "Thunderbird",
            "64f0740e-3b26-45b9-83e2-54822f256828": "Samsung Browser",
            "108b4dc5-f39f-4005-b189-bd0e41ed5c7b": "Other",
            "87bdc7da-02a6-4ce5-9b98-b4c9a6143d0e": "Unknown",
        },
    ),
    "BrowserId": (
        "BrowserName",
        {
            "2f5c5058-9d1f-4969-84dd-17d0e67bb4a4": "Microsoft Edge",
            "5baeadfc-25d3-4059-bc7b-f5ae56e6d530": "Opera",
            "f9b18f1b-89dc-48e3-a0af-0532ce0e23f7": "Netscape",
            "a44c2f62-82fa-4e28-b3ff-e5db4861ccdb": "Sea Monkey",
            "d28c8f68-aaeb-4f70-8f25-e898b9c303e7": "Camino",
            "807c4a91-d194-443b-8052-5a4f2945fba0": "Firefox",
            "881b893b-cd9d-4382-bc44-6cb483ae20f2": "UC Browser",
            "e075c8df-a34a-4015-b9dd-54eab8192458": "Sleipnir",
            "e9f61625-b032-449b-8cd6-254ed21f39e4": "Internet Explorer",
            "27b2ef0a-17f1-4444-89cd-91665330a566": "Samsung browser",
            "a672ec74-b253-4aa3-9158-d4f7cd9818b8": "Outlook",
            "7759e90a-93d0-4891-a6f3-a17d05335bf4": "Comodo Dragon",
            "a90b7cb3-ddc2-456d-9c8d-e90104ed6d81": "Chrome Plus",
            "a8a2dc38-6acd-42c3-999b-5599e31aca3b": "Chrome",
            "b0541878-4329-4f38-8b2f-54fea245ee22": "Rekong",
            "e54ffd0f-c94d-435f-8a97-407c634cbda1": "Safari",
            "30f089c6-c601-42d5-9922-366c0acfaf40": "Konqueror",
            "f5b513f6-ad0a-4515-9a63-4e7bcc3c928f": "Other",
            "92362e2a-b4bd-4ab1-8ca5-69340abc2846": "Unknown",
        },
    ),
    "OperatingSystemId": (
        "OperatingSystemName",
        {
            "2fd14342-0556-42bf-a155-7f1343ce16df": "Windows",
            "307e8c83-fa4e-4d6d-8973-73b79f9d0101": "Symbian",
            "f2372ff7-5aa7-482c-99d7-ef2b1c8d64ff": "Solaris",
            "691fee8e-7c8d-4ee4-bb40-5c924affd9fe": "macOS",
            "407890b5-651f-4935-9d1c-4d146076bbfe": "Linux",
            "cc324703-9d00-4cf9-bee7-fa65b373841d": "iOS",
            "9d1dacfc-3270-40e8-85e3-64bb62b2c562": "Chrome OS",
            "5b72cdd9-3277-4472-9051-d2631a2f69e9": "Fire OS",
            "df7d6ff2-99a7-4e1d-96af-0bbcc59cd7f8": "BlackBerry",
            "dcb8d655-5b63-4a3a-92f5-3213686344fa": "Bada",
            "731cdf56-671e-4694-9685-71173e7e3412": "AIX",
            "6b6b81d0-ef01-4b4d-8430-675dc31ae27d": "Android",
            "8c0667b0-492a-4872-bcdd-0a9278127bdb": "Amiga",
            "6b467d92-4ca8-4ea5-bc36-6fc1ba779f43": "Other",
            "be048716-ca07-4a72-a61a-1ac558d5d591": "Unknown",
        },
    ),
    "DeviceTypeId": (
        "DeviceTypeName",
        {
            "aa1519ed-8c2b-4c96-b658-a63f0bd02332": "Desktop",
            "f8c82bd5-e602-454e-bfb4-326e60daafda": "Mobile",
            "f91dbdc8-29f0-4e1b-84c3-f3c6d81a95c0": "Tablet",
            "c81be958-89ff-4fc4-a787-af41eb012998": "Other",
            "ee2ac22d-5d61-47f6-968c-e62934dac494": "Unknown",
        },
    ),
}
