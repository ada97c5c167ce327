"""The look of the page: one style sheet, allowed by its digest, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d9dee5;--back:#fff;--card:#f5f7fa;--mark:#1f6feb;
--warn:#9a3412;--warnback:#fff4ed}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#9aa6b5;--line:#323b47;--back:#12161c;--card:#1a2029;
--mark:#6ea8fe;--warn:#fdba74;--warnback:#2b1d13}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1.5rem 1rem 4rem;background:var(--back);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .5rem}
h2{font-size:1.25rem;margin:2.5rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.25rem 0 .5rem}
p{margin:.4rem 0;max-width:46rem}
a{color:var(--mark)}
.soft{color:var(--soft)}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:1rem 0;padding:1rem;
background:var(--card);border-radius:.5rem}
dt{color:var(--soft)}
dd{margin:0;min-width:0}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);
font-weight:400}
thead th{color:var(--soft)}
.totals td{overflow-wrap:break-word}
.totals td:nth-child(1){min-width:7rem}
td.n,th.n{text-align:right;white-space:nowrap;padding-right:0;font-variant-numeric:tabular-nums}
.bars td:nth-child(1){white-space:nowrap;width:1%}
.bars td:nth-child(2){width:99%}
.bars td{border:0;padding-top:.1rem;padding-bottom:.1rem}
.bars svg{display:block;width:100%;height:.9rem;margin-top:.3rem;fill:var(--mark)}
ul.plain,ol.plain{list-style:none;margin:0;padding:0}
.period{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;padding:0 1rem}
.period>summary{padding:.6rem 0;font-weight:600;cursor:pointer}
.record{padding:.75rem 0;border-top:1px solid var(--line);content-visibility:auto;contain-intrinsic-size:auto 6rem}
.record .what{font-weight:600}
.record time{color:var(--soft);font-variant-numeric:tabular-nums}
.record summary{color:var(--mark);cursor:pointer;width:max-content}
.record .facts{margin:.5rem 0;font-size:.9rem;white-space:pre-wrap}
.bad{color:var(--warn)}
.gap{background:var(--warnback);color:var(--warn);padding:.5rem .75rem;border-radius:.5rem;margin:.5rem 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem;margin:0}
@media (max-width:40rem){.facts{grid-template-columns:1fr;gap:0 1rem}.facts dd{margin-bottom:.5rem}
h1{font-size:1.4rem}.period{padding:0 .75rem}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--back:#fff;--card:#fff;--mark:#000;
--warn:#000;--warnback:#fff}body{max-width:none;padding:0;font-size:10pt}
details::details-content{content-visibility:visible;block-size:auto}.record{content-visibility:visible;
break-inside:avoid}h2,h3,summary{break-after:avoid}.facts,.period{border:1px solid var(--line)}}
"""

#: Nothing is loaded, no script runs, no form is sent: the style sheet's digest is all that is allowed.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'"
)
