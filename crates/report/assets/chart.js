"use strict";
// For every chart on the page: a read-out of the values under the pointer, and a legend that hides and shows curves.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const MOST_ROWS = 12;

  const number = (value) => {
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-4 || size >= 1e9)) return Number(value.toPrecision(5)).toExponential();
    return String(size >= 1e5 ? Math.round(value) : Number(value.toPrecision(5)));
  };

  // Points are in the order of x: the one nearest to `x`.
  const nearest = (points, x, place) => {
    let low = 0;
    let high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < x) low = middle;
      else high = middle;
    }
    return place(x) - place(points[low][0]) <= place(points[high][0]) - place(x) ? points[low] : points[high];
  };

  const cell = (row, text) => {
    const cell = row.appendChild(document.createElement("td"));
    cell.textContent = text;
    return cell;
  };

  for (const figure of document.querySelectorAll("figure.chart")) {
    const source = figure.querySelector('script[type="application/json"]');
    if (!source) continue;
    const chart = JSON.parse(source.textContent);
    const canvas = figure.querySelector(".canvas");
    const svg = canvas.querySelector("svg");
    const groups = [...svg.querySelectorAll("g.curve")];
    const buttons = [...figure.querySelectorAll(".legend button")];
    const [left, top, width, height] = chart.frame;
    const hidden = new Set();

    const warp = (value, log) => (log ? Math.log10(value) : value / 2);
    const axis = (bounds, log) => {
      const [a, b] = bounds.map((value) => warp(value, log));
      return {
        place: (value) => (warp(value, log) - a) / (b - a),
        value: (place) => (log ? 10 ** (a + place * (b - a)) : (a + place * (b - a)) * 2),
      };
    };
    const x = axis(chart.x, chart.log[0]);
    const y = axis(chart.y, chart.log[1]);

    const overlay = svg.appendChild(document.createElementNS(SVG, "g"));
    const readout = canvas.appendChild(document.createElement("div"));
    readout.className = "readout";
    const clear = () => {
      overlay.replaceChildren();
      readout.hidden = true;
    };
    clear();

    const dot = (curve, [px, py]) => {
      const dot = overlay.appendChild(document.createElementNS(SVG, "circle"));
      dot.setAttribute("class", "c" + (curve % 7));
      dot.setAttribute("fill", "currentColor");
      dot.setAttribute("r", "4");
      dot.setAttribute("cx", left + x.place(px) * width);
      dot.setAttribute("cy", top + (1 - y.place(py)) * height);
    };

    const show = (event) => {
      clear();
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const across = ((event.clientX - box.left) * scale - left) / width;
      const down = ((event.clientY - box.top) * scale - top) / height;
      if (across < -0.02 || across > 1.02 || down < -0.05 || down > 1.05) return;
      const at = x.value(Math.min(1, Math.max(0, across)));

      let rows = [];
      chart.curves.forEach((curve, index) => {
        if (hidden.has(index) || !curve.points.length) return;
        const point = nearest(curve.points, at, x.place);
        const raw = curve.raw.length ? nearest(curve.raw, point[0], x.place) : null;
        rows.push({ curve, index, point, raw, away: Math.abs(x.place(point[0]) - x.place(at)) });
      });
      if (!rows.length) return;
      // What is read is one place: that of the point nearest to the pointer. Curves that begin later or have ended are not read.
      const here = rows.reduce((best, row) => (row.away < best.away ? row : best)).point[0];
      rows.forEach((row) => { row.point = nearest(row.curve.points, here, x.place); });
      rows = rows.filter(({ curve: { points } }) => points[0][0] <= here && here <= points[points.length - 1][0]);
      rows.sort((a, b) => b.point[1] - a.point[1]);
      const under = rows.reduce((best, row) =>
        Math.abs(1 - y.place(row.point[1]) - down) < Math.abs(1 - y.place(best.point[1]) - down) ? row : best);
      if (rows.length > MOST_ROWS) {
        const start = Math.max(0, Math.min(rows.indexOf(under) - MOST_ROWS / 2, rows.length - MOST_ROWS));
        rows = rows.slice(start, start + MOST_ROWS);
      }

      const line = overlay.appendChild(document.createElementNS(SVG, "path"));
      const lineAt = left + x.place(here) * width;
      line.setAttribute("class", "edge");
      line.setAttribute("d", `M${lineAt} ${top}V${top + height}`);
      const table = document.createElement("table");
      const head = table.appendChild(document.createElement("tr"));
      const title = head.appendChild(document.createElement("th"));
      title.colSpan = 3;
      title.textContent = `${chart.name || "x"} ${number(here)}`;
      for (const { curve, index, point, raw } of rows) {
        dot(index, point);
        const row = table.appendChild(document.createElement("tr"));
        if (index === under.index && rows.length > 1) row.className = "nearest";
        const swatch = cell(row, "");
        swatch.className = "swatch";
        const mark = buttons[index] && buttons[index].querySelector("svg");
        if (mark) swatch.append(mark.cloneNode(true));
        cell(row, number(point[1]) + (raw ? ` (${number(raw[1])})` : "")).className = "right";
        // A curve with other steps is read at its nearest.
        cell(row, curve.label + (point[0] === here ? "" : ` (at ${number(point[0])})`));
      }
      readout.replaceChildren(table);
      readout.hidden = false;
      const room = canvas.clientWidth;
      const place = lineAt / scale;
      readout.style.left = `${place + 14 + readout.offsetWidth < room ? place + 14 : Math.max(0, place - 14 - readout.offsetWidth)}px`;
      readout.style.top = `${Math.max(0, Math.min(down * height / scale, canvas.clientHeight - readout.offsetHeight))}px`;
    };
    svg.addEventListener("pointermove", show);
    svg.addEventListener("pointerdown", show);
    svg.addEventListener("pointerleave", clear);

    buttons.forEach((button, index) => {
      button.title = "Click to hide or show; double-click to show this one alone";
      const set = (at, hide) => {
        if (hide) hidden.add(at);
        else hidden.delete(at);
        groups[at].classList.toggle("hidden", hide);
        buttons[at].setAttribute("aria-pressed", String(!hide));
      };
      button.addEventListener("click", () => set(index, !hidden.has(index)));
      button.addEventListener("dblclick", () => {
        const alone = buttons.every((_, at) => (at === index) || hidden.has(at));
        buttons.forEach((_, at) => set(at, alone ? false : at !== index));
      });
    });
  }
})();
