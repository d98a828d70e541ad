
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = id => document.getElementById(id);
  const table = at("runs"), body = table.tBodies[0];
  const rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const filters = [...document.querySelectorAll("[data-column]")];
  const rowOfRun = new Map(rows.map(row => [Number(row.dataset.run), row]));

  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // Sorting: numbers before text, nothing last, equal ones as they stood.
  const collator = new Intl.Collator("en", {numeric: true});
  const compare = (a, b) => {
    if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
    const x = Number(a), y = Number(b);
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return collator.compare(a, b);
  };
  const sortBy = column => {
    const down = heads[column].getAttribute("aria-sort") === "ascending";
    heads.forEach((head, i) =>
      head.setAttribute("aria-sort", i !== column ? "none" : down ? "descending" : "ascending"));
    const value = row => row.cells[column].dataset.v;
    const sorted = [...rows].sort((a, b) => {
      const order = compare(value(a), value(b));
      const empty = value(a) === "" || value(b) === "";
      return down && !empty ? -order : order;
    });
    body.append(...sorted);
  };
  heads.forEach((head, i) => head.firstChild.addEventListener("click", () => sortBy(i)));

  // Filtering: rows, and the points of figures that are theirs.
  const texts = new Map(rows.map(row => [row, row.textContent.toLowerCase()]));
  const marks = new Map();
  for (const mark of document.querySelectorAll("svg [data-run]")) {
    const run = Number(mark.dataset.run);
    if (!marks.has(run)) marks.set(run, []);
    marks.get(run).push(mark);
  }
  const filter = () => {
    const words = at("search").value.toLowerCase().split(" ").filter(word => word);
    let shown = 0;
    for (const row of rows) {
      const cell = select => row.cells[Number(select.dataset.column)].textContent;
      const fits = filters.every(select => !select.value || cell(select) === select.value) &&
        words.every(word => texts.get(row).includes(word));
      row.hidden = !fits;
      shown += fits;
      for (const mark of marks.get(Number(row.dataset.run)) || [])
        mark.classList.toggle("off", !fits);
    }
    at("count").textContent = shown + " of " + rows.length + " runs";
  };
  for (const control of [at("search"), ...filters]) control.addEventListener("input", filter);
  at("clear").addEventListener("click", () => {
    at("search").value = "";
    for (const select of filters) select.value = "";
    filter();
  });

  // Paired differences: the ratio estimator of analysis/compare/paired_statistics.h.
  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
  const groups = data.paired.groups.map(group =>
    ({...group, weight: new Float64Array(bytes(group.weight))}));
  const entries = data.paired.entries.map(([run, column, group, hasError, sums]) =>
    ({run, column, group, hasError, text: sums}));
  const sums = entry => entry.sums || (entry.sums = new Float32Array(bytes(entry.text)));
  const difference = (from, to, group) => {
    const a = sums(from), b = sums(to), w = group.weight, count = w.length;
    let sum = 0, weight = 0, squares = 0;
    for (let i = 0; i < count; ++i) { sum += b[i] - a[i]; weight += w[i]; }
    const value = sum / weight;
    for (let i = 0; i < count; ++i) squares += (b[i] - a[i] - value * w[i]) ** 2;
    return {value, error: Math.sqrt(count / (count - 1) * squares) / weight};
  };
  const measurement = (value, error) => {
    const sign = value > 0 ? "+" : "";
    if (!(error > 0 && Number.isFinite(error))) return sign + Number(value.toPrecision(6));
    if (Math.max(Math.abs(value), error) >= 1e7 || error < 1e-6)
      return sign + value.toPrecision(4) + " ± " + error.toExponential(1);
    const decimals = Math.max(0, 1 - Math.floor(Math.log10(error)));
    return sign + value.toFixed(decimals) + " ± " + error.toFixed(decimals);
  };
  const showDifferences = () => {
    for (const old of body.querySelectorAll(".difference")) old.remove();
    for (const row of rows) row.classList.remove("baseline");
    const chosen = at("baseline").value;
    if (chosen === "") return;
    const baseline = Number(chosen);
    rowOfRun.get(baseline).classList.add("baseline");
    const own = entries.filter(entry => entry.run === baseline);
    for (const entry of entries) {
      if (entry.run === baseline) continue;
      const twins = own.filter(one => one.group === entry.group);
      const twin = twins.find(one => one.column === entry.column) || twins[0];
      // A baseline without an error, KL of full precision, adds nothing to the value itself.
      if (!twin || !twin.hasError) continue;
      const group = groups[entry.group], {value, error} = difference(twin, entry, group);
      const t = Math.abs(value) / error;
      const stars = group.critical.filter(critical => t > critical).length;
      const line = make("span", measurement(value, error) + (stars ? " " + "*".repeat(stars) : ""),
        {class: "difference", title: "difference to the baseline, " + group.unit + ", " +
          group.clusters + " clusters"});
      rowOfRun.get(entry.run).cells[entry.column].append(line);
    }
  };

  // Settings in which two runs differ.
  const showSettings = () => {
    const run = Number(at("other").value), baseline = at("baseline").value;
    const place = at("differences");
    place.replaceChildren();
    const {keys, values} = data.config;
    const other = baseline === "" ? null : Number(baseline);
    const shown = keys.map((key, i) => [key, other === null ? null : values[other][i],
      values[run][i]]).filter(([, a, b]) => other === null ? b !== null : a !== b);
    if (!shown.length) {
      place.append(make("p", "No setting differs."));
      return;
    }
    const list = make("table", "");
    list.append(make("caption", other === null ? "Settings of the run that differ between runs"
      : "Settings in which the run differs from the baseline"));
    const top = list.createTHead().insertRow();
    for (const name of other === null ? ["setting", "run"] : ["setting", "baseline", "run"])
      top.append(make("th", name, {scope: "col"}));
    const lines = list.createTBody();
    for (const [key, a, b] of shown) {
      const line = lines.insertRow();
      line.append(make("th", key, {scope: "row"}));
      for (const value of other === null ? [b] : [a, b])
        line.append(make("td", value === null ? "–" : value, {dir: "auto"}));
    }
    place.append(list);
  };

  // Items that one of two runs gets right and the other wrong.
  const answersOf = (run, group) =>
    data.items.entries.find(entry => entry[0] === run && entry[1] === group);
  const choiceList = (choices, label, picks) => {
    const list = make("ol", "", {class: "choices"});
    choices.forEach((choice, i) => {
      const line = make("li", "");
      line.append(make("bdi", choice));
      const marks = [i === label ? "✓" : "", ...picks.map(([who, pick]) => pick === i ? who : "")];
      line.append(make("span", marks.filter(mark => mark).join(", "), {class: "marks"}));
      list.append(line);
    });
    return list;
  };
  const flipRow = (lines, item, change, picks) => {
    const [name, label, context, choices] = item, line = lines.insertRow();
    line.append(make("th", name, {scope: "row"}), make("td", change));
    const cell = line.insertCell();
    if (context) cell.append(make("bdi", context, {class: "context"}));
    if (choices.length) cell.append(choiceList(choices, label, picks));
    else if (label >= 0)
      cell.append(make("span", ["right answer: choice " + (label + 1),
        ...picks.map(([who, pick]) => who + " picks choice " + (pick + 1))].join(", ")));
  };
  const flipTable = (group, index, run, baseline) => {
    const before = answersOf(baseline, index), after = answersOf(run, index), parts = [];
    if (!before || !after) return parts;
    const changes = [["1", "0", "right to wrong"], ["0", "1", "wrong to right"]].map(
      ([from, to, words]) => ({words, rows: group.items.map((item, i) => i).filter(
        i => before[2][i] === from && after[2][i] === to)}));
    parts.push(make("h3", group.title), make("p", changes.map(
      change => change.rows.length + " " + change.words).join(", ") + "."));
    for (const text of [group.note, group.absent])
      if (text) parts.push(make("p", text, {class: "absent"}));
    if (changes.every(change => !change.rows.length)) return parts;
    const list = make("table", ""), top = list.createTHead().insertRow();
    for (const name of ["item", "change", "question and answers"])
      top.append(make("th", name, {scope: "col"}));
    const lines = list.createTBody();
    for (const {words, rows} of changes)
      for (const i of rows)
        flipRow(lines, group.items[i], words,
          [["baseline", before[3][i]], ["run", after[3][i]]].filter(([, pick]) => pick >= 0));
    const scroll = make("div", "", {class: "scroll", tabindex: "0", role: "region",
      "aria-label": "Items that flipped, " + group.title});
    scroll.append(list);
    return [...parts, scroll];
  };
  const showFlips = () => {
    const run = Number(at("other").value), chosen = at("baseline").value, place = at("flips");
    const parts = chosen === "" ? [] : data.items.groups.flatMap((group, i) =>
      flipTable(group, i, run, Number(chosen)));
    place.replaceChildren(...parts);
    if (!parts.length)
      place.append(make("p", chosen === "" ? "Pick a baseline above the table of runs."
        : "These two runs did not answer the same items.", {class: "absent"}));
  };

  const others = [...document.querySelectorAll("select.other")];
  const showPair = () => { showSettings(); showFlips(); };
  data.labels.forEach((label, i) => {
    if (data.done[i]) at("baseline").append(make("option", label, {value: i}));
    for (const other of others) other.append(make("option", label, {value: i}));
  });
  for (const note of data.paired.notes) at("paired-notes").append(make("li", note));
  if (data.baseline !== null) at("baseline").value = data.baseline;
  for (const other of others) {
    other.value = data.labels.length - 1;
    other.addEventListener("input", () => {
      for (const twin of others) twin.value = other.value;
      showPair();
    });
  }
  at("baseline").addEventListener("input", () => { showDifferences(); showPair(); });
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
  showDifferences();
  showPair();
  filter();
})();
