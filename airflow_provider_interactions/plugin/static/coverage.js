"use strict";

const STATES = {
  complete: "complete", empty: "empty, but asked", rejects: "with rejects", partial: "contacts failed",
  stale: "not normalized, or stale", never: "never asked", failed: "failed", running: "running",
};
const MARKS = { rejects: "!", partial: "?", stale: "~", failed: "×", running: "…" };
const GAPS = new Set(["never", "failed"]);
const DAY = 86400000, PIXELS = 18, SECONDS_BETWEEN_LOOKS = 4, TRIES = 20;

const $ = (id) => document.getElementById(id);

/* The only way in which text reaches the page: as text. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function chooseTheme() {
  const chosen = localStorage.getItem("theme") || "";
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = chosen === "dark" || (chosen !== "light" && dark) ? "dark" : "light";
}

async function call(path, options) {
  const response = await fetch(path, { credentials: "same-origin", ...options });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    const detail = body.detail?.message || body.detail;
    const error = new Error(typeof detail === "string" ? detail : `The server answered ${response.status}.`);
    throw Object.assign(error, { status: response.status });
  }
  return body;
}

function say(text, isError = false) {
  $("message").textContent = text;
  $("message").className = isError ? "error" : "";
}

const count = (number) => (number === null || number === undefined ? "–" : Number(number).toLocaleString("en"));
const isMidnight = (text) => text.endsWith("T00:00:00Z");
const instant = (text) => (text ? text.replace("T", " ").replace(/(:\d\d)(\.\d+)?(Z|\+00:00)$/, "$1 UTC") : "–");

function nameWindow(start, end) {
  if (isMidnight(start) && isMidnight(end)) {
    const last = new Date(Date.parse(end) - DAY).toISOString().slice(0, 10);
    return start.slice(0, 10) === last ? last : `${start.slice(0, 10)} to ${last}`;
  }
  return `${instant(start).replace(" UTC", "")} to ${instant(end)}`;
}

/* ---- the heat map ---- */

let shown = null, chosenDag = null;

function readFilters() {
  const form = new FormData($("filters"));
  const asked = new URLSearchParams();
  for (const name of ["vendor", "account"]) if (form.get(name)) asked.set(name, form.get(name));
  if (chosenDag) asked.set("dag", chosenDag);
  if (form.get("start")) asked.set("start", `${form.get("start")}T00:00:00Z`);
  if (form.get("end")) asked.set("end", new Date(Date.parse(form.get("end")) + DAY).toISOString());
  return asked;
}

function setSpan(start, end) {
  const form = $("filters");
  form.start.value = start.slice(0, 10);
  form.end.value = new Date(Date.parse(end) - 1).toISOString().slice(0, 10);
}

function offer(select, values) {
  const chosen = select.value;
  for (const value of values) {
    if (![...select.options].some((option) => option.value === value)) select.append(make("option", { value }, value));
  }
  select.value = chosen;
}

async function refresh({ isQuiet = false } = {}) {
  if (!isQuiet) say("Loading…");
  const asked = `${readFilters()}`, isLate = () => asked !== `${readFilters()}`; // then another refresh is under way
  try {
    const found = await call(`api/coverage?${asked}`);
    if (isLate()) return;
    shown = found;
  } catch (error) {
    if (!isLate()) say(error.message, true);
    return;
  }
  setSpan(shown.start, shown.end);
  offer($("filters").vendor, shown.accounts.map((one) => one.vendor));
  offer($("filters").account, shown.accounts.map((one) => one.account));
  showLegend();
  const places = isQuiet ? [...document.querySelectorAll(".strip")].map((strip) => strip.scrollLeft) : [];
  const grid = document.createDocumentFragment();
  for (const account of shown.accounts) grid.append(drawAccount(account));
  $("grid").replaceChildren(grid);
  document.querySelectorAll(".strip").forEach((strip, at) => { strip.scrollLeft = places[at] ?? strip.scrollWidth; });
  if ($("usage").open && !isQuiet) showUsage();
  const what = chosenDag ? `The DAG ${chosenDag} has not worked on the lake in the last month.` : "The lake has no window yet.";
  say(shown.accounts.length ? "" : `${what} Run a DAG, or choose another time.`);
}

function showLegend() {
  const totals = {};
  for (const { states } of shown.accounts) {
    for (const [state, number] of Object.entries(states)) totals[state] = (totals[state] || 0) + number;
  }
  $("legend").replaceChildren(...Object.entries(STATES).map(([state, text]) =>
    make("li", {}, make("span", { class: `cell swatch ${state}`, "aria-hidden": "true" }, MARKS[state] || ""),
      `${text} (${count(totals[state] || 0)})`)));
}

/* Pixels for each millisecond, so that most windows of the account are squares. */
function scaleOf(cells) {
  const widths = cells.map(([start, end]) => Date.parse(end) - Date.parse(start)).sort((one, other) => one - other);
  return PIXELS / (widths[Math.floor(widths.length / 2)] || DAY);
}

function drawAccount(account) {
  const { cells } = account, scale = scaleOf(cells);
  const first = Date.parse(cells.length ? cells[0][0] : shown.start);
  const last = Math.max(...cells.map((cell) => Date.parse(cell[1])), first);
  const time = make("div", { class: "time", role: "group", "aria-label": `${account.vendor}, ${account.account}` });
  time.style.width = `${(last - first) * scale}px`;
  time.append(...drawTicks(first, last, scale));
  cells.forEach((cell, place) => time.append(drawCell(account, cell, place, first, scale)));
  time.addEventListener("keydown", moveFocus);
  const gaps = cells.filter((cell) => GAPS.has(cell[2]));
  return make("section", { class: "account" },
    make("div", { class: "name" }, make("b", {}, account.account), make("span", {}, account.vendor),
      make("span", {}, summarize(account.states)), drawFill(account, gaps)),
    make("div", { class: "strip" }, time));
}

function summarize(states) {
  return Object.keys(STATES).filter((state) => states[state])
    .map((state) => `${count(states[state])} ${STATES[state]}`).join(" · ");
}

/* A tick a day for hours, a week for days, a month for weeks; none so near to the last one that they overlap. */
function drawTicks(first, last, scale) {
  const day = scale * DAY, begins = [[60, () => true], [14, (at) => at.getUTCDay() === 1], [0, (at) => at.getUTCDate() === 1]]
    .find(([least]) => day > least)[1];
  const ticks = [], at = new Date(first);
  at.setUTCHours(0, 0, 0, 0);
  let free = -Infinity;
  for (; at.getTime() < last; at.setUTCDate(at.getUTCDate() + 1)) {
    const left = (Math.max(at.getTime(), first) - first) * scale;
    if ((ticks.length && !begins(at)) || left < free) continue;
    const text = at.toISOString().slice(0, 10);
    const tick = make("span", { class: "tick", "aria-hidden": "true" }, text);
    tick.style.left = `${left}px`;
    free = left + 80;
    ticks.push(tick);
  }
  return ticks;
}

function drawCell(account, [start, end, state, rows, rejects, requests, isLate], place, first, scale) {
  const notes = [`${count(rows)} rows`, rejects ? `${count(rejects)} rejects` : null, isLate ? "a newer history was fetched since" : null];
  const text = [`${nameWindow(start, end)}: ${STATES[state]}`, ...notes.filter(Boolean)].join(", ");
  const cell = make("button", {
    class: `cell ${state}${isLate ? " late" : ""}`, type: "button", title: text, "aria-label": text, "aria-pressed": "false",
    tabindex: place ? "-1" : "0", onclick: (event) => openWindow(account, start, end, event.currentTarget),
  }, MARKS[state] || "");
  cell.style.left = `${(Date.parse(start) - first) * scale}px`;
  cell.style.width = `${Math.max(4, (Date.parse(end) - Date.parse(start)) * scale - 2)}px`;
  return cell;
}

function moveFocus(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !event.target.classList.contains("cell")) return;
  const next = step > 0 ? event.target.nextElementSibling : event.target.previousElementSibling;
  if (next && next.classList.contains("cell")) {
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    event.preventDefault();
  }
}

/* ---- one window ---- */

let opened = 0; // how often the panel was opened or closed

function closePanel() {
  opened += 1;
  $("panel").hidden = true;
  for (const cell of document.querySelectorAll('.cell[aria-pressed="true"]')) cell.setAttribute("aria-pressed", "false");
}

function fillPanel(title, ...children) {
  const close = make("button", { class: "close", type: "button", onclick: closePanel }, "Close");
  const atEnd = [...document.querySelectorAll(".strip")].filter((strip) => strip.scrollLeft + strip.clientWidth >= strip.scrollWidth - 2);
  $("panel").replaceChildren(close, make("h2", {}, title), ...children.filter(Boolean));
  $("panel").hidden = false;
  for (const strip of atEnd) strip.scrollLeft = strip.scrollWidth; // the panel takes room from them
  $("panel").focus({ preventScroll: true });
}

/* Load something and show it, unless the panel was closed, or opened for something else, meanwhile. */
async function openPanel(title, load, show) {
  closePanel();
  const mine = opened;
  fillPanel(title, make("p", {}, "Loading…"));
  try {
    const found = await load();
    if (mine === opened) show(found);
  } catch (error) {
    if (mine === opened) fillPanel(title, make("p", { class: "warning" }, error.message));
  }
}

function openWindow(account, start, end, cell) {
  const asked = new URLSearchParams({ vendor: account.vendor, account: account.account, start, end });
  openPanel(nameWindow(start, end), () => call(`api/window?${asked}`), (found) => showWindow(found, asked));
  if (cell) keepInView(cell);
}

/* On a narrow screen, the panel covers what is below. */
function keepInView(cell) {
  cell.setAttribute("aria-pressed", "true");
  if (matchMedia("(max-width: 760px)").matches) cell.closest(".account").scrollIntoView({ block: "start" });
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function listFacts(facts) {
  const rows = facts.filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => make("tr", {}, make("th", {}, name), make("td", { class: "number" }, value)));
  return make("table", {}, ...rows);
}

const some = (counts) => Object.entries(counts).filter(([, number]) => number).map(([name, number]) => [name, count(number)]);

function showWindow({ cell, reasons, tries }, asked) {
  const { counts } = cell, extraction = tries.filter((one) => one.step === "extract" && one.state === "success").pop();
  const facts = [
    ["Rows", count(cell.rows)], ["Records that cannot be read", count(cell.rejects)], ["Repeated", count(counts.repeated)],
    ["Contacts", count(counts.contacts)], ...some({
      "… without an interaction": counts.empty, "… not found": counts.not_found, "… deleted": counts.deleted,
      "… failed": counts.failed,
    }),
    ["Requests", count(counts.requests)], ["Refusals to slow down", count(counts.throttled)], ["Bytes", count(cell.bytes)],
    ["Duration of the extraction", extraction ? `${extraction.seconds.toFixed(1)} s` : null],
    ["Extracted", instant(cell.extracted_at)], ["Published", instant(cell.published_at)],
    ["Newer history", cell.newer_history ? instant(cell.newer_history) : null],
  ];
  fillPanel(nameWindow(cell.start, cell.end),
    make("p", { class: "state" }, make("span", { class: `cell swatch ${cell.state}` }, MARKS[cell.state] || ""), STATES[cell.state]),
    make("p", {}, `${cell.vendor}, ${cell.account}`),
    cell.manifest ? listFacts(facts) : null,
    cell.manifest ? make("p", {}, make("a", { href: `manifest?${asked}`, target: "_blank", rel: "noopener" }, "Manifest")) : null,
    ...showReasons(reasons, asked), ...showTries(tries));
}

function showReasons(reasons, asked) {
  const names = Object.keys(reasons);
  if (!names.length) return [];
  const rows = names.map((reason) => make("tr", {}, make("td", {}, reason), make("td", { class: "number" }, count(reasons[reason])),
    make("td", {}, make("button", { type: "button", onclick: (event) => showRecords(event.currentTarget, reason, asked) }, "Show"))));
  return [make("h2", {}, "Records that cannot be read"),
    make("table", {}, make("tr", {}, make("th", {}, "Reason"), make("th", {}, "Records"), make("th", {})), ...rows),
    make("p", { class: "warning" }, "Records hold personal data. Show them only if you need to.")];
}

async function showRecords(button, reason, asked) {
  button.disabled = true;
  const row = button.closest("tr"), target = make("td", { colspan: "3" }, "Loading…");
  row.after(make("tr", {}, target));
  try {
    const records = await call(`api/rejected?${asked}&${new URLSearchParams({ reason })}`, { method: "POST" });
    target.replaceChildren(...records.flatMap(({ contact, record }) => [make("div", {}, `Contact ${contact}`), make("pre", {}, record)]));
  } catch (error) {
    target.textContent = error.message;
  }
}

function showTries(tries) {
  if (!tries.length) return [];
  const rows = tries.map((one) => make("tr", {}, make("td", {}, one.step), make("td", {}, one.error || one.state),
    make("td", { class: "number" }, `${one.seconds.toFixed(1)} s`), make("td", { class: "number" }, count(one.requests)),
    make("td", {}, instant(one.ended_at)), make("td", {}, one.run_id ? `${one.dag_id}, ${one.run_id}, try ${one.attempt}` : "–")));
  const names = ["Step", "Result", "Duration", "Requests", "Ended", "Run"].map((name) => make("th", {}, name));
  return [make("h2", {}, "Runs"), make("div", { class: "wide" }, make("table", {}, make("tr", {}, ...names), ...rows))];
}

/* ---- charts of the ledger ---- */

const CHARTS = { requests: "requests", rows: "rows normalized", throttled_seconds: "seconds waited, as vendors asked", failed: "failed tries" };

async function showUsage() {
  const place = $("usage").querySelector("div"), filters = readFilters(), end = $("filters").end.value;
  const days = (Date.parse(end) - Date.parse($("filters").start.value)) / DAY + 1;
  const asked = new URLSearchParams({ last: end, days });
  for (const name of ["vendor", "account"]) if (filters.get(name)) asked.set(name, filters.get(name));
  place.textContent = "Loading…";
  try {
    const found = await call(`api/usage?${asked}`);
    if (`${filters}` !== `${readFilters()}`) return; // late: the charts of the new filters are under way
    place.replaceChildren(...Object.entries(CHARTS).map(([name, text]) => drawChart(found, name, text)));
  } catch (error) {
    place.textContent = error.message;
  }
}

function draw(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/* The height of a bar is its share of the highest one, which the caption names. */
function drawChart(days, name, text) {
  const highest = Math.max(...days.map((day) => day[name])), total = days.reduce((sum, day) => sum + day[name], 0);
  const bars = days.map((day, at) => {
    const height = highest ? (100 * day[name]) / highest : 0;
    const place = { x: at + 0.1, y: 100 - height, width: 0.8, height, class: name === "failed" ? "failing" : "" };
    return draw("rect", place, draw("title", {}, `${day.day}: ${count(Math.round(day[name]))} ${text}`));
  });
  const caption = `${count(Math.round(total))} ${text}, ${days[0].day} to ${days[days.length - 1].day}, at most ${count(Math.round(highest))} in a day`;
  const size = { class: "chart", viewBox: `0 0 ${days.length} 100`, preserveAspectRatio: "none", role: "img", "aria-label": caption };
  return make("figure", {}, make("figcaption", {}, caption), draw("svg", size, ...bars));
}

/* ---- fill the gap ---- */

const airflow = document.querySelector('meta[name="airflow-api"]')?.content || "";

function drawFill(account, gaps) {
  if (!airflow || !gaps.length) return null;
  const text = gaps.length === 1 ? "Fill the gap" : `Fill ${count(gaps.length)} windows`;
  return make("button", { type: "button", onclick: () => openFill(account, gaps) }, text);
}

/* Neighbouring windows that are missing, as one range each: a backfill takes a range. */
function joinGaps(gaps) {
  const ranges = [];
  for (const [start, end] of gaps) {
    const last = ranges[ranges.length - 1];
    if (last && last.end === start) Object.assign(last, { end, starts: [...last.starts, start] });
    else ranges.push({ start, end, starts: [start] });
  }
  return ranges;
}

function callAirflow(path, body, method = "POST") {
  const change = { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return call(`${airflow}/${path}`, body ? change : undefined);
}

const isBusy = (error) => error.status >= 500;
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/* Start a backfill; one that Airflow runs already is waited for, because a DAG has one at a time.

While SQLite's one writer is busy, Airflow answers 503. It may then have made the backfill, perhaps without its runs, so
that one is cancelled before the next try. */
async function startBackfill(body, result) {
  for (let left = TRIES, isUnsure = false; result.isConnected;) {
    try {
      return await callAirflow("backfills", body);
    } catch (error) {
      if (error.status !== 409 && !isBusy(error)) throw error;
      if (isBusy(error)) {
        isUnsure = true;
        left -= 1;
        if (!left) throw error;
      }
    }
    await pause(1);
    const open = await findOpenBackfill(body.dag_id).catch((error) => { if (!isBusy(error)) throw error; return null; });
    if (open && isUnsure && isSameRange(open, body)) await cancelBackfill(open);
    else if (open) await waitForBackfill(open, result);
  }
  throw new Error("The panel was closed before the backfill began.");
}

/* The backfill of a DAG that Airflow has not ended yet, or null. */
async function findOpenBackfill(dag) {
  const { backfills } = await callAirflow(`backfills?${new URLSearchParams({ dag_id: dag, limit: 1, order_by: "-id" })}`);
  return backfills.find((one) => !one.completed_at) || null;
}

const isSameRange = (one, other) => ["from_date", "to_date"].every((name) => Date.parse(one[name]) === Date.parse(other[name]));

async function cancelBackfill({ id }) {
  await callAirflow(`backfills/${id}/cancel`, {}, "PUT").catch((error) => { if (!isBusy(error)) throw error; });
}

async function waitForBackfill({ id }, result) {
  for (let made = {}; !made.completed_at && result.isConnected;) {
    result.textContent = `Backfill ${id} of this DAG is still running. This one begins after it.`;
    await pause(SECONDS_BETWEEN_LOOKS);
    made = await readBackfill(id);
  }
  result.textContent = "Starting…";
}

/* A backfill as Airflow knows it; nothing while Airflow is busy. */
function readBackfill(id) {
  return callAirflow(`backfills/${id}`).catch((error) => { if (!isBusy(error)) throw error; return {}; });
}

function openFill(account, gaps) {
  const title = `Fill ${count(gaps.length)} ${gaps.length === 1 ? "window" : "windows"}`;
  const asked = new URLSearchParams({ vendor: account.vendor, account: account.account });
  openPanel(title, () => call(`api/dags?${asked}`), (dags) => showFill(title, account, gaps, dags));
}

function showFill(title, account, gaps, dags) {
  if (!dags.length) throw new Error("No DAG has extracted windows of this account in the last month. Run its DAG once, then come back.");
  const select = make("select", { name: "dag" }, ...dags.map((dag) => make("option", { value: dag }, dag)));
  const plans = make("div", { "aria-live": "polite" });
  const show = () => plans.replaceChildren(...joinGaps(gaps).map((range) => drawRange(account, range, select.value)));
  select.addEventListener("change", show);
  fillPanel(title, make("p", {}, `${account.vendor}, ${account.account}`), make("label", {}, "DAG", select),
    make("p", { class: "warning" }, "Each part is one backfill. A DAG runs one at a time."), plans);
  show();
}

/* Airflow's own dry run says which runs a backfill would make. It must be those of the missing windows and no others. */
function drawRange(account, range, dag) {
  const body = { dag_id: dag, from_date: range.start, to_date: range.starts[range.starts.length - 1], reprocess_behavior: "completed" };
  const result = make("span", { role: "status" }, "Asking Airflow…"), plan = make("div", {}, "Planning…");
  const start = make("button", { type: "button", disabled: "" }, "Start the backfill");
  const ready = { runs: false, plan: false };  // a backfill that is too large must be confirmed
  const allow = (part, isReady = true) => { ready[part] = isReady; start.disabled = !(ready.runs && ready.plan); };
  const box = make("div", { class: "range" }, make("b", {}, nameWindow(range.start, range.end)), " ", result, plan, start);
  const stop = (error) => { result.textContent = error.message; start.disabled = true; };
  callAirflow("backfills/dry_run", body).then(({ backfills }) => {
    const runs = new Set(backfills.map((run) => Date.parse(run.logical_date || run.partition_date)));
    const wanted = range.starts.map((text) => Date.parse(text));
    if (runs.size !== wanted.length || !wanted.every((at) => runs.has(at))) {
      throw new Error(`This DAG would make ${count(runs.size)} runs for ${count(wanted.length)} windows, at other times. Its windows differ from those of the lake.`);
    }
    result.textContent = `${count(runs.size)} ${runs.size === 1 ? "run" : "runs"}`;
    allow("runs");
  }).catch(stop);
  showPlan(plan, account, range, (isReady) => allow("plan", isReady));
  start.addEventListener("click", () => {
    start.disabled = true;
    result.textContent = "Starting…";
    startBackfill(body, result).then((made) => follow(made.id, result)).catch((error) => { stop(error); start.disabled = false; });
  });
  return box;
}

async function showPlan(place, account, range, allow) {
  const asked = new URLSearchParams({ vendor: account.vendor, account: account.account, start: range.start, end: range.end, windows: range.starts.length });
  try {
    const { plan, most_requests: most } = await call(`api/plan?${asked}`);
    place.replaceChildren(...(plan ? describePlan(plan, range) : ["No plan: no window of this account in the lake shows how many contacts there are."]));
    if (plan && most && plan.daily.requests > most) place.append(askFirst(plan.daily.requests, most, allow));
    else allow(true);
  } catch (error) {
    place.textContent = `No plan: ${error.message}`;
    allow(true);
  }
}

/* The limit is for all runs of the backfill together: the DAG's own one is for each run. */
function askFirst(requests, most, allow) {
  const box = make("input", { type: "checkbox", name: "confirm" });
  box.addEventListener("change", () => allow(box.checked));
  const text = `All runs together would send ${count(requests)} requests, more than the limit of ${count(most)}. Send them.`;
  return make("label", { class: "warning" }, box, " ", text);
}

function describePlan(plan, range) {
  const ways = range.starts.length > 1 ? [["daily", "A run for each window"], ["wide", "One run over all of them"]] : [["daily", "One run"]];
  const rows = ways.map(([name, text]) => make("tr", {}, make("th", {}, text), make("td", { class: "number" }, count(plan[name].requests)),
    make("td", { class: "number" }, plan[name].time)));
  const names = ["", "Requests", "Takes about"].map((name) => make("th", {}, name));
  const basis = `For ${count(plan.contacts)} contacts, judged by the last ${count(plan.past)} windows, at ${plan.pace}.`;
  const advice = `One run is the cheapest. To make it, trigger the DAG with start ${range.start} and end ${range.end}.`;
  return [make("table", { class: "plan" }, make("tr", {}, ...names), ...rows), make("p", { class: "soft" }, basis),
    plan.cheapest === "wide" ? make("p", {}, advice) : null].filter(Boolean);
}

/* Look at the lake again until the backfill has ended. */
async function follow(id, result) {
  for (let made = {}; !made.completed_at;) {
    result.textContent = `Backfill ${id} is running.`;
    await pause(SECONDS_BETWEEN_LOOKS);
    made = await readBackfill(id);
    await refresh({ isQuiet: true });
  }
  result.textContent = `Backfill ${id} has ended.`;
}

/* ---- start ---- */

chooseTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", chooseTheme);
addEventListener("storage", chooseTheme);
if ($("filters")) {
  chosenDag = new URLSearchParams(location.search).get("dag");
  $("filters").addEventListener("change", refresh);
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-days]")) {
    button.addEventListener("click", () => {
      const end = Date.parse($("filters").end.value) + DAY;
      setSpan(new Date(end - button.dataset.days * DAY).toISOString(), new Date(end).toISOString());
      refresh();
    });
  }
  $("usage").addEventListener("toggle", () => $("usage").open && showUsage());
  addEventListener("keydown", (event) => event.key === "Escape" && closePanel());
  refresh();
}
