"""What a realistic world is written with: the words of one made-up organisation, a museum of ships and the sea.

Texts at the same place of `CAMPAIGNS`, `TITLES` and `SUBJECTS` belong together.
"""

from __future__ import annotations

GIVEN_NAMES = (
    "Aoife", "Ben", "Chloé", "Daniel", "Emma", "Fatima", "Grace", "Hannah", "Jonas", "Liam", "Maria", "Niamh", "Oscar",
    "Priya", "Ruth", "Thomas",
)  # fmt: skip
FAMILY_NAMES = (
    "Byrne", "Carter", "Doyle", "Fischer", "Gallagher", "Hughes", "Kelly", "Martin", "Murphy", "Nowak", "O'Brien",
    "Patel", "Ryan", "Silva", "Walsh",
)  # fmt: skip

CAMPAIGNS = (
    "Ocean Worlds exhibition",
    "Membership renewal",
    "Late openings",
    "Annual appeal",
    "School holidays",
    "Museum shop",
)
TITLES: dict[str, tuple[str, ...]] = {
    "Email": (
        "Ocean Worlds opens on Friday",
        "Renew your membership and save 10%",
        "Late opening this Thursday: jazz and tapas",
        "Help us restore the tall ship",
        "Half-term workshops for families",
        "New in the museum shop",
    ),
    "SMS": (
        "Your Ocean Worlds ticket",
        "Your membership ends soon",
        "Doors open at 6 pm tonight",
        "Thank you for your gift",
        "Your workshop starts at 10 am",
        "Your order is ready to collect",
    ),
    "LandingPage": (
        "Ocean Worlds: plan your visit",
        "Choose your membership",
        "Late openings: the programme",
        "The tall ship: give today",
        "What's on in the holidays",
        "Gifts for sailors",
    ),
    "Event": (
        "Ocean Worlds: members' preview",
        "Breakfast with the curator",
        "Late opening: live jazz",
        "Behind the scenes of the restoration",
        "Family workshop: build a lighthouse",
        "Meet the maker",
    ),
    "WebForm": (
        "Book a ticket",
        "Renew a membership",
        "Join the guest list",
        "Make a donation",
        "Register for a workshop",
        "Ask about an order",
    ),
    "Competition": (
        "Win a family ticket",
        "Win a year of membership",
        "Win dinner at a late opening",
        "Name the ship's cat",
        "Draw a sea creature",
        "Win a gift card",
    ),
}
#: what constituents of a charity's system are noted for
SUBJECTS = (
    "Ticket question",
    "Membership renewed",
    "Guest list request",
    "Gift to the annual appeal",
    "Workshop registration",
    "Shop order enquiry",
    "Volunteer enquiry",
)
NOTES = (
    "Answered on the phone.",
    "Sent a letter of thanks.",
    "Prefers to hear from us by e-mail.",
    "Asked for a call back next week.",
    "Moved house: the new address is in the record.",
)
#: what a loyalty programme writes
REWARDS = (
    "You have earned 120 points",
    "Your receipt from the museum shop",
    "Your reward ends on Sunday",
    "Double points this weekend",
    "Your points for a gift: redeemed",
    "Welcome to the Friends of the Museum",
)
LINKS = (
    "https://museum.example.org/ocean-worlds",
    "https://museum.example.org/membership/renew",
    "https://museum.example.org/late-openings",
    "https://museum.example.org/give/tall-ship",
    "https://museum.example.org/families/workshops",
    "https://shop.museum.example.org/new",
)
#: country, state, city, postal code
PLACES = (
    ("IE", "Leinster", "Dublin", "D02 AF30"),
    ("IE", "Munster", "Cork", "T12 X8N6"),
    ("GB", "England", "Bristol", "BS1 4RW"),
    ("DE", "Bayern", "München", "80331"),
    ("FR", "Bretagne", "Brest", "29200"),
)
#: browser and its version, operating system and its version, kind of device, its brand and model
DEVICES = (
    ("chrome", "142.0", "windows", "11", "Desktop", "Dell", "Latitude"),
    ("firefox", "145.0", "windows", "10", "Desktop", "Lenovo", "ThinkPad"),
    ("safari", "18.6", "ios", "18.6", "Mobile", "Apple", "iPhone"),
    ("chrome", "142.0", "android", "16", "Mobile", "Samsung", "Galaxy"),
)
