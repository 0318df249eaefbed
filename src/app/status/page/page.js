"use strict";

/* The page asks /status.json once a second and shows what it says. What it says is data: it is put
 * in as text, never as HTML. */

const POLL_MS = 1000;
const PATIENCE_MS = 4000;  // how long one answer may take
const STALE_MS = 5000;     // without an answer for so long, what is shown is old
const OLD_SECONDS = 60;    // a request of that age is worth a look
const SPAN_SECONDS = 300;  // of a plot, at most
const LEAST_SPAN = 60;     // of a service that has just started
const WIDTH = 300;         // of a plot's own coordinates
const HEIGHT = 100;

const byId = (id) => document.getElementById(id);

/* --- words for numbers --- */

const grouped = new Intl.NumberFormat("en");

function count(number) {
	return number === null ? "?" : grouped.format(Math.round(number));
}

/* A rate, with a digit behind the point where it is small. */
function rate(number) {
	return Math.abs(number) < 9.95 && number % 1 !== 0 ? number.toFixed(1) : count(number);
}

function requests(number) {
	return `${count(number)} ${number === 1 ? "request" : "requests"}`;
}

/* "850 ms", "3.2 s", "12 min", "3 h 20 min", "2 days" */
function duration(seconds) {
	if (seconds < 0.9995)
		return `${Math.round(seconds * 1000)} ms`;
	if (seconds < 9.95)
		return `${seconds.toFixed(1)} s`;
	if (seconds < 119.5)
		return `${Math.round(seconds)} s`;
	const minutes = Math.round(seconds / 60);
	if (minutes < 120)
		return `${minutes} min`;
	if (minutes < 48 * 60)
		return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
	return `${Math.round(minutes / 1440)} days`;
}

function bytes(number) {
	const mib = number / 1048576;
	return mib < 0.1 ? `${Math.ceil(number / 1024)} KiB` : `${mib < 10 ? mib.toFixed(1) : Math.round(mib)} MiB`;
}

/* "03:12", with the day where it is not today's */
function time(text) {
	const then = new Date(text);
	const clock = then.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
	if (then.toDateString() === new Date().toDateString())
		return clock;
	return `${then.toLocaleDateString("en", { day: "numeric", month: "short" })}, ${clock}`;
}

/* --- the state in words: how bad it is, what is the matter, what it means, what to do --- */

const HINTS = {
	credentials: (s) => `Put a valid key into ${s.service.keyFile}: it is read within a second and tried at once.`,
	endpoint: (s) => `Check care360.base_url (${s.api.host}, port ${s.api.port}), and whether this machine may use it. A probe that is answered sets the line going.`,
	api_down: (s) => `Nothing needs to be done here: as soon as a probe is answered the line goes on where it was. ${s.api.host}, port ${s.api.port}, is for Care360 to mend.`,
	rate_limited: () => "Care360 wants fewer requests. The line goes on by itself, slower; other users of the same key, or limits.requests_per_second, may be the reason.",
	kafka: () => "The service looks again every few seconds, and never creates a topic or a right itself.",
};

function stopStory(s) {
	const probe = s.state.nextProbeSeconds;
	const next = s.state.cause === "kafka" ? "" : probe === null ? " A probe is under way." : ` Next probe in ${Math.ceil(probe)} s.`;
	return `${requests(waiting(s))} ${waiting(s) === 1 ? "waits" : "wait"} unharmed.${next}`;
}

/* A reason as a sentence of its own. */
function sentence(text) {
	return text === "" ? "" : `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/* What waits: in the topic where that is known, else what is held of it. */
function waiting(s) {
	return s.requests.waiting === null ? s.requests.held : Math.max(s.requests.waiting, s.requests.held);
}

function backlogStory(s) {
	const growth = s.requests.waitingGrowthPerSecond;
	const pace = `${requests(waiting(s))} wait; ${rate(s.requests.answeredPerSecond)} a second are answered.`;
	if (growth >= 0)
		return `${pace} ${growth > 0.5 ? `The backlog grows by ${rate(growth)} a second.` : ""}`;
	return `${pace} Done in about ${duration(waiting(s) / -growth)}.`;
}

function slowStory(s) {
	const half = s.api.p50Seconds;
	const pace = half === null ? "None of its replies came of late." : `Half of its replies take longer than ${duration(half)}.`;
	return `${pace} ${count(s.limits.inFlight)} of at most ${count(s.limits.inFlightLimit)} are under way, ${count(waiting(s))} wait.`;
}

const STATES = {
	fine: ["good", "Running", (s) => (waiting(s) > 0 ? `Requests are answered as they come: ${count(waiting(s))} on their way.` : "Every request is answered. Nothing waits.")],
	backlog: ["mind", "Running, with a backlog", backlogStory, "It is worked off by itself. Where it never gets smaller: more instances, or more lookup.in_flight if Care360 allows it."],
	api_slow: ["mind", "Running, but Care360 is slow", slowStory, "Nothing needs to be done here: what waits keeps its place."],
	rebalancing: ["calm", "Rebalancing: the group shares out its partitions", (s) => `What this instance began is finished first: ${count(s.requests.held)} in work. It takes seconds.`],
	brokers_gone: ["bad", (s) => `Waiting: no Kafka broker can be reached since ${time(s.state.since)}`, (s) => `Nothing is lost: ${requests(s.requests.held)} and results in work are kept, and the service goes on by itself.`, (s) => `${sentence(s.state.reason ?? "")} Check the brokers and the network between.`],
	joining: ["calm", "Joining the consumer group", () => "It reads as soon as the group has given it its partitions."],
	stopping: ["calm", "Stopping", (s) => `It finishes what it began, ${requests(s.requests.held)}, and leaves the rest unread for others.`],
	ending: ["bad", "Ending: it cannot go on", () => "The log says why. What is not acknowledged is read again after the restart."],
	stopped: ["bad", (s) => `Stopped: ${s.state.reason} since ${time(s.state.since)}`, stopStory, (s) => HINTS[s.state.cause](s)],
};

const LAMPS = { good: "✓", mind: "!", bad: "✕", calm: "…" };
const ICONS = { good: "#16803c", mind: "#d97a00", bad: "#c0261d", calm: "#2f5fd0" };

/* --- putting it on the page --- */

function setText(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

function setNumber(id, number, unit) {
	const element = byId(id);
	setText(element, `${number} ${unit}`.trim());
	if (unit === "")
		return;
	element.textContent = `${number} `;
	element.append(make("span", "unit", unit));
}

function make(tag, className, text) {
	const element = document.createElement(tag);
	if (className)
		element.className = className;
	if (text !== undefined)
		element.textContent = text;
	return element;
}

function showState(tone, headline, story, hint) {
	byId("state").className = `card ${tone}`;
	setText(byId("lamp"), LAMPS[tone]);
	setText(byId("headline"), headline);
	setText(byId("story"), story.trim());
	setText(byId("hint"), hint);
	document.title = `${headline} – care360-lookup`;
	byId("icon").href = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${ICONS[tone]}"/></svg>`)}`;
}

function describeState(s) {
	const [tone, headline, story, hint = ""] = STATES[s.state.condition];
	const say = (words) => (typeof words === "function" ? words(s) : words);
	byId("state").dataset.condition = s.state.condition;
	byId("state").dataset.cause = s.state.cause ?? "";
	showState(tone, say(headline), say(story), say(hint));
}

const BLOCKERS = {
	reply: (o) => `asked the API ${duration(o.seconds)} ago`,
	retry: (o) => `${o.refusals > 0 ? "refused as too many" : `attempt ${o.attempts} failed${o.httpStatus ? ` (HTTP ${o.httpStatus})` : ""}`}, again in ${duration(o.seconds ?? 0)}`,
	leave: () => "waits for its turn at the API",
	order: () => "waits for one before it",
	acknowledgement: () => "answered; waits for Kafka to take the result",
	turn: () => "passes through",
};

function showTiles(s) {
	const oldest = s.oldest;
	setNumber("answered", rate(s.requests.answeredPerSecond), "a second");
	setText(byId("consumed"), `${rate(s.requests.consumedPerSecond)} a second come in`);
	setText(byId("median"), s.api.p50Seconds === null ? "–" : duration(s.api.p50Seconds));
	setText(byId("slowest"), s.api.p95Seconds === null ? "none of late" : `half of them; 95 % within ${duration(s.api.p95Seconds)}`);
	setText(byId("waiting"), count(s.requests.waiting));
	setText(byId("trend"), `${count(s.requests.held)} in work, ${count(s.requests.retrying)} tried again`);
	setText(byId("age"), oldest ? duration(oldest.ageSeconds) : "–");
	const stopped = s.state.condition === "stopped" && oldest?.waitsFor === "leave";
	setText(byId("blocker"), !oldest ? "none in work" : stopped ? "waits for the line to run again" : BLOCKERS[oldest.waitsFor](oldest));
	setText(byId("place"), oldest ? `${oldest.topic}/${oldest.partition}/${oldest.offset}` : "");
}

function barCell(share, tone) {
	const cell = make("td", "bar");
	const frame = make("div");
	const fill = make("i", tone);
	fill.style.width = `${Math.min(100, 100 * share)}%`;
	frame.append(fill);
	cell.append(frame);
	return cell;
}

function row(cells, className, share, tone) {
	const line = make("tr", className);
	for (const text of cells)
		line.append(make("td", "", text));
	if (share !== undefined)
		line.append(share === null ? make("td") : barCell(share, tone));
	return line;
}

function showOutcomes(outcomes) {
	const total = Object.values(outcomes).reduce((sum, number) => sum + number, 0);
	const tones = { found: "found", case_not_found: "none" };
	byId("outcomes").tBodies[0].replaceChildren(...Object.entries(outcomes).map(([name, number]) =>
		row([name, count(number)], number === 0 ? "zero" : "", total > 0 ? number / total : 0, tones[name] ?? "error")));
}

function showLimits(s) {
	const limits = s.limits;
	const perSecond = limits.requestsPerSecondLimit;
	const lowered = limits.inFlightLimit < limits.inFlightMost ? `, at most ${count(limits.inFlightMost)}` : "";
	byId("limits").tBodies[0].replaceChildren(
		row(["API requests at once", `${count(limits.inFlight)} of ${count(limits.inFlightLimit)}${lowered}`], "", limits.inFlight / limits.inFlightLimit, "fill"),
		row(["API requests a second", perSecond > 0 ? rate(perSecond) : "no limit"], "", null),
		row(["Requests held", `${count(limits.bufferedEvents)} of ${count(limits.bufferedEventsMost)}`], "", limits.bufferedEvents / limits.bufferedEventsMost, "fill"),
		row(["Their memory", `${bytes(limits.bufferedBytes)} of ${bytes(limits.bufferedBytesMost)}`], "", limits.bufferedBytes / limits.bufferedBytesMost, "fill"));
}

const RETRIES = {
	status_429: "refused as too many (429)", status_5xx: "API errors (5xx)", timeout: "API time-outs", connect: "connections refused or cut",
	tls: "TLS failures", bad_reply: "replies of another form", other: "other replies that answer nothing",
};

const TROUBLES = {
	deliveryFailures: "results refused by Kafka", drainsCutShort: "drains cut short", offsetResets: "offsets gone from the log",
	headersDropped: "headers left out", identityInMetadata: "patients named in keys or ids", logLinesDropped: "log lines lost",
};

function showTroubles(s) {
	const found = Object.entries(s.api.retries).map(([cause, number]) => [number, RETRIES[cause]]);
	found.push([s.api.unclassifiedReplies, "replies nobody documented"]);
	for (const [name, words] of Object.entries(TROUBLES))
		found.push([s.counters[name], words]);
	found.push([s.counters.rebalances, "rebalances"]);
	const items = found.filter(([number]) => number > 0).map(([number, words]) => {
		const item = make("li");
		item.append(make("b", "", count(number)), ` ${words}`);
		return item;
	});
	byId("troubles").replaceChildren(...(items.length > 0 ? items : [make("li", "quiet", "none")]));
}

function showErrors(errors) {
	byId("errors-card").hidden = errors.length === 0;
	byId("errors").tBodies[0].replaceChildren(...errors.map((e) =>
		row([time(e.time), `${e.topic}/${e.partition}/${e.offset}`, e.reason, e.httpStatus ?? "–"])));
}

function showPartitions(partitions) {
	setText(byId("partition-count"), partitions.length === 0 ? "none is assigned to this instance" : `${partitions.length} assigned to this instance`);
	byId("partitions").hidden = partitions.length === 0;
	byId("partitions").tBodies[0].replaceChildren(...partitions.map((p) =>
		row([p.topic, String(p.partition), count(p.lag), count(p.committed), count(p.end), count(p.uncommitted),
			p.oldestAgeSeconds > 0 ? duration(p.oldestAgeSeconds) : "–"], p.oldestAgeSeconds > OLD_SECONDS ? "old" : "")));
}

function showService(s) {
	const service = s.service;
	setText(byId("who"), `group ${service.group} on ${service.host}`);
	const config = service.configSuccessful ? `configuration of ${time(service.configAt)}` : `the configuration could not be read again; that of ${time(service.configAt)} is in force`;
	setText(byId("versions"), `Version ${service.version}, librdkafka ${service.librdkafka}, libcurl ${service.libcurl}. Running since ${time(service.startedAt)}, ${config}, key ${service.keyAt ? `of ${time(service.keyAt)}` : "none yet"}. ${duration(service.cpuSeconds)} of CPU, ${bytes(service.residentBytes)} of memory.`);
}

/* --- plots --- */

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes) {
	const element = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(attributes))
		element.setAttribute(name, value);
	return element;
}

/* Each series: a column of the history, its words, its class. `stacked` ones are areas on top of each other. */
const PLOTS = [
	{ title: "Answered a second", stacked: true, show: rate, least: 10, series: [["foundPerSecond", "found", "found"], ["notFoundPerSecond", "no case", "none"], ["errorsPerSecond", "errors", "error"]] },
	{ title: "API replies", stacked: false, show: duration, least: 0.1, series: [["apiP50Seconds", "half within", "half"], ["apiP95Seconds", "95 % within", "most-line"]] },
	{ title: "Waiting", stacked: true, show: count, least: 10, series: [["waiting", "requests", "found"]] },
];

function makePlot(plot) {
	const figure = make("figure", "card");
	const caption = make("figcaption");
	plot.legend = make("span", "legend");
	plot.frame = make("div", "plot");
	plot.most = make("span", "most");
	plot.svg = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": plot.title });
	const times = make("div", "times");
	caption.append(make("h3", "", plot.title), plot.legend);
	plot.frame.append(plot.svg, plot.most);
	plot.since = make("span");
	times.append(plot.since, make("span", "", "now"));
	figure.append(caption, plot.frame, times);
	plot.frame.addEventListener("pointermove", (event) => {
		const box = plot.svg.getBoundingClientRect();
		plot.pointed = (event.clientX - box.left) / box.width * WIDTH;
		drawPlot(plot);
	});
	plot.frame.addEventListener("pointerleave", () => { plot.pointed = undefined; drawPlot(plot); });
	byId("plots").append(figure);
}

/* The next of 1, 2, 5, 10, 20 ... that a scale may end at. */
function roundUp(number) {
	const power = 10 ** Math.floor(Math.log10(number));
	return [1, 2, 5, 10].find((step) => step * power >= number) * power;
}

/* A path through points, in pieces where a value is missing. */
function path(points) {
	let drawing = false;
	let text = "";
	for (const [x, y] of points) {
		if (y === null) {
			drawing = false;
			continue;
		}
		text += `${drawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
		drawing = true;
	}
	return text;
}

function drawSeries(plot, rows, top) {
	const y = (value) => HEIGHT - value / top * HEIGHT;
	const below = rows.map(() => 0);
	for (const [column, , tone] of plot.series) {
		const values = rows.map((r, i) => (plot.stacked ? below[i] + (r[column] ?? 0) : r[column]));
		const line = path(rows.map((r, i) => [r.x, values[i] === null ? null : y(values[i])]));
		if (plot.stacked && rows.length > 0) {
			const floor = rows.map((r, i) => [r.x, y(below[i])]).reverse();
			plot.svg.append(svg("path", { class: tone, d: `${line}L${floor.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join("L")}Z` }));
			values.forEach((value, i) => { below[i] = value; });
		} else {
			plot.svg.append(svg("path", { class: `${tone} line`, d: line }));
		}
	}
}

/* The legend's values: of the moment that is pointed at, else the last. */
function drawLegend(plot, rows) {
	const last = rows.at(-1);
	const at = plot.pointed === undefined ? last : rows.reduce((near, r) => (Math.abs(r.x - plot.pointed) < Math.abs(near.x - plot.pointed) ? r : near), rows[0]);
	plot.legend.replaceChildren(...plot.series.map(([column, words, tone]) => {
		const entry = make("span");
		const value = at?.[column];
		entry.append(make("i", tone), `${words} ${value === null || value === undefined ? "–" : plot.show(value)}`);
		return entry;
	}));
	if (plot.pointed !== undefined && at)
		plot.svg.append(svg("line", { class: "hover", x1: at.x, x2: at.x, y1: 0, y2: HEIGHT }));
}

function drawPlot(plot) {
	const rows = plot.rows ?? [];
	const heights = rows.map((r) => plot.series.reduce((sum, [column]) => (plot.stacked ? sum + (r[column] ?? 0) : Math.max(sum, r[column] ?? 0)), 0));
	const top = roundUp(Math.max(plot.least, ...heights));
	plot.svg.replaceChildren(...[0, HEIGHT / 2, HEIGHT].map((y) => svg("line", { x1: 0, x2: WIDTH, y1: y, y2: y })));
	setText(plot.most, plot.show(top));
	drawSeries(plot, rows, top);
	drawLegend(plot, rows);
}

function showPlots(s) {
	const now = Date.parse(s.time) / 1000;
	const age = now - (s.history.rows[0]?.[0] ?? now);
	const span = Math.min(SPAN_SECONDS, Math.max(LEAST_SPAN, age));
	const rows = s.history.rows.map((values) => {
		const named = Object.fromEntries(s.history.columns.map((name, i) => [name, values[i]]));
		named.x = WIDTH * (1 - (now - named.time) / span);
		return named;
	}).filter((r) => r.x >= 0);
	for (const plot of PLOTS) {
		plot.rows = rows;
		setText(plot.since, `${duration(span)} ago`);
		drawPlot(plot);
	}
}

/* --- asking --- */

let lastAnswer = 0;

function show(s) {
	lastAnswer = Date.now();
	document.body.classList.remove("stale");
	document.querySelector("main").hidden = false;
	byId("fresh").className = "";
	setText(byId("fresh"), `live, as of ${new Date(s.time).toLocaleTimeString("en", { hourCycle: "h23" })}`);
	describeState(s);
	showTiles(s);
	showPlots(s);
	showOutcomes(s.outcomes);
	showLimits(s);
	showTroubles(s);
	showErrors(s.lastErrors);
	showPartitions(s.partitions);
	showService(s);
}

/* No answer: says so, once it is more than a hiccup. */
function showSilence() {
	const silent = Date.now() - lastAnswer;
	if (lastAnswer !== 0 && silent < STALE_MS)
		return;
	document.body.classList.add("stale");
	document.querySelector("main").hidden = false;
	byId("fresh").className = "stale";
	setText(byId("fresh"), "no answer");
	byId("state").dataset.condition = "silent";
	const since = lastAnswer === 0 ? "It has not answered yet." : `The last answer came ${duration(silent / 1000)} ago; what is below is of then.`;
	showState("bad", "The service does not answer", since, "It has ended, or this page no longer reaches it. The page goes on asking.");
}

/* What the service says; null where it does not answer. */
async function ask() {
	try {
		const reply = await fetch("/status.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
		return await reply.json();
	} catch {
		return null;
	}
}

/* A turn that fails is told to the console, and the next one comes. */
async function turn() {
	try {
		if (document.hidden)
			return;
		const s = await ask();
		if (s === null)
			showSilence();
		else
			show(s);
	} finally {
		setTimeout(turn, POLL_MS);
	}
}

PLOTS.forEach(makePlot);
turn();
