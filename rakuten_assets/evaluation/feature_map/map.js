"use strict";
(() => {
  const data = JSON.parse(document.getElementById("points").textContent);
  const byId = (id) => document.getElementById(id);
  const canvas = byId("canvas"), stage = byId("stage"), card = byId("card"), legend = byId("legend");
  const drawing = canvas.getContext("2d");
  const sheets = [...document.querySelectorAll(".sheet-of-pictures")];
  const count = data.x.length, every = [...Array(count).keys()];
  const MARGIN = 24, REACH = 12, TOUCH_REACH = 26, SLACK = 6, THUMBNAIL = 44;

  // ---- what a point belongs to, and how that looks: colour and shape, never colour alone ----
  const SHAPES = ["circle", "square", "triangle", "diamond"];
  const named = (name, colour, shape) => ({ name, colour, shape });
  const NO_CLASS = named("test, no label", "--faint", "cross");
  const MODES = {
    class: {
      title: "Class",
      of: (i) => (data.label[i] < 0 ? data.classes.length : data.label[i]),
      kinds: [
        ...data.classes.map((name, c) => named(name, `--s${c % 7}`, SHAPES[Math.floor(c / 7) % 4])),
        NO_CLASS,
      ],
    },
    split: {
      title: "Split",
      of: (i) => data.test[i],
      kinds: [named("train", "--s0", "circle"), named("test", "--s3", "triangle")],
    },
    mistake: {
      title: "Out-of-fold prediction",
      of: (i) => (data.predicted[i] < 0 ? 2 : data.predicted[i] === data.label[i] ? 0 : 1),
      kinds: [named("as the label", "--s0", "circle"), named("differs from the label", "--s3", "diamond"), NO_CLASS],
    },
    duplicates: {
      title: "Duplicates in the catalogue",
      of: (i) => data.duplicates[i],
      kinds: [
        named("none", "--faint", "circle"),
        named("of one class", "--s0", "square"),
        named("of several classes", "--s3", "diamond"),
        named("in train and in test", "--s2", "triangle"),
      ],
    },
  };

  let mode = MODES.class, members = [], picked = new Set();
  let width = 0, height = 0, scale = 0, fitted = 0, middleX = 0, middleY = 0, untouched = true;
  let hovered = -1, kept = -1, waiting = false;
  let colours = {};

  // ---- view ----
  const spanX = Math.max(...data.x, 1), spanY = Math.max(...data.y, 1);
  const screenX = (i) => (data.x[i] - middleX) * scale + width / 2;
  const screenY = (i) => height / 2 - (data.y[i] - middleY) * scale;

  function showWhole() {
    scale = fitted;
    middleX = spanX / 2;
    middleY = spanY / 2;
    untouched = true;
    redraw();
  }

  function zoom(factor, x = width / 2, y = height / 2) {
    const next = Math.min(Math.max(scale * factor, fitted / 2), fitted * 400);
    middleX += (x - width / 2) * (1 / scale - 1 / next);
    middleY -= (y - height / 2) * (1 / scale - 1 / next);
    scale = next;
    untouched = false;
    redraw();
  }

  function move(dx, dy) {
    middleX -= dx / scale;
    middleY += dy / scale;
    untouched = false;
    redraw();
  }

  function measure() {
    const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    width = box.width;
    height = box.height;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    drawing.setTransform(ratio, 0, 0, ratio, 0, 0);
    fitted = Math.max(Math.min((width - 2 * MARGIN) / spanX, (height - 2 * MARGIN) / spanY), 1e-6);
    if (untouched || !scale) showWhole();
    redraw();
  }

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = ["--s0", "--s1", "--s2", "--s3", "--s4", "--s5", "--s6", "--faint", "--ink", "--paper"];
    colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(name).trim()]));
    redraw();
  }

  // ---- drawing ----
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  }

  function mark(pen, shape, x, y, r) {
    if (shape === "circle") {
      pen.moveTo(x + r, y);
      pen.arc(x, y, r, 0, 2 * Math.PI);
    } else if (shape === "square") {
      pen.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    } else if (shape === "triangle") {
      pen.moveTo(x, y - 1.25 * r);
      pen.lineTo(x + 1.15 * r, y + 0.85 * r);
      pen.lineTo(x - 1.15 * r, y + 0.85 * r);
      pen.closePath();
    } else if (shape === "diamond") {
      pen.moveTo(x, y - 1.35 * r);
      pen.lineTo(x + 1.1 * r, y);
      pen.lineTo(x, y + 1.35 * r);
      pen.lineTo(x - 1.1 * r, y);
      pen.closePath();
    } else {
      pen.moveTo(x - 0.8 * r, y - 0.8 * r);
      pen.lineTo(x + 0.8 * r, y + 0.8 * r);
      pen.moveTo(x + 0.8 * r, y - 0.8 * r);
      pen.lineTo(x - 0.8 * r, y + 0.8 * r);
    }
  }

  function inView(i, slack) {
    const x = screenX(i), y = screenY(i);
    return x > -slack && x < width + slack && y > -slack && y < height + slack;
  }

  function shown(i) {
    return picked.size === 0 || picked.has(mode.of(i));
  }

  function draw() {
    drawing.clearRect(0, 0, width, height);
    const radius = Math.min(2.4 * Math.sqrt(Math.max(scale / fitted, 1)) * (count < 800 ? 1.5 : 1), 7);
    // The pale ones first, so that they hide nothing.
    const order = mode.kinds.map((_, kind) => kind);
    order.sort((a, b) => (mode.kinds[b].colour === "--faint") - (mode.kinds[a].colour === "--faint"));
    for (const kind of order) {
      const { colour, shape } = mode.kinds[kind];
      drawing.globalAlpha = picked.size && !picked.has(kind) ? 0.12 : 0.85;
      drawing.beginPath();
      for (const i of members[kind]) {
        if (inView(i, 8)) mark(drawing, shape, screenX(i), screenY(i), radius);
      }
      if (shape === "cross") {
        drawing.strokeStyle = colours[colour];
        drawing.lineWidth = 1.4;
        drawing.stroke();
      } else {
        drawing.fillStyle = colours[colour];
        drawing.fill();
      }
    }
    drawing.globalAlpha = 1;
    const visible = every.filter((i) => inView(i, THUMBNAIL) && shown(i));
    const current = hovered >= 0 ? hovered : kept;
    if (visible.length * THUMBNAIL * THUMBNAIL < 0.9 * width * height) {
      visible.forEach(drawThumbnail);
      if (visible.includes(current)) drawThumbnail(current); // on top
    }
    if (current >= 0) drawCurrent(current, radius);
  }

  function picture(pen, i, x, y, side) {
    const at = i % data.perSheet, sheet = sheets[Math.floor(i / data.perSheet)];
    if (!data.pictured[i] || !sheet || !sheet.complete || !sheet.naturalWidth) return false;
    const left = (at % data.columns) * data.side, top = Math.floor(at / data.columns) * data.side;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(sheet, left, top, data.side, data.side, x, y, side, side);
    return true;
  }

  function drawThumbnail(i) {
    const x = screenX(i) - THUMBNAIL / 2, y = screenY(i) - THUMBNAIL / 2, { colour, shape } = mode.kinds[mode.of(i)];
    if (!picture(drawing, i, x, y, THUMBNAIL)) return;
    drawing.strokeStyle = drawing.fillStyle = colours[colour];
    drawing.lineWidth = 2;
    drawing.strokeRect(x, y, THUMBNAIL, THUMBNAIL);
    drawing.beginPath();
    mark(drawing, shape, x + 6, y + 6, 5);
    if (shape === "cross") drawing.stroke();
    else drawing.fill();
  }

  function drawCurrent(current, radius) {
    const x = screenX(current), y = screenY(current);
    drawing.strokeStyle = colours["--ink"];
    drawing.lineWidth = 1;
    if (data.group[current] >= 0) {
      drawing.beginPath();
      for (const i of every) {
        if (data.group[i] !== data.group[current] || i === current) continue;
        drawing.moveTo(x, y);
        drawing.lineTo(screenX(i), screenY(i));
        drawing.moveTo(screenX(i) + radius + 4, screenY(i));
        drawing.arc(screenX(i), screenY(i), radius + 4, 0, 2 * Math.PI);
      }
      drawing.stroke();
    }
    drawing.lineWidth = 2;
    drawing.beginPath();
    drawing.arc(x, y, radius + 5, 0, 2 * Math.PI);
    drawing.stroke();
  }

  // ---- the card of a point ----
  function about(i) {
    const lines = [`${data.test[i] ? "test" : "train"} row ${data.row[i]}`];
    lines.push(`image ${data.image[i]}`, `product ${data.product[i]}`);
    if (data.predicted[i] >= 0) {
      const says = data.predicted[i] === data.label[i] ? "predicted as labelled" : `predicted ${data.classes[data.predicted[i]]}`;
      lines.push(`${says} (${data.confidence[i]} %)`);
    }
    if (data.group[i] >= 0) {
      const here = every.filter((other) => data.group[other] === data.group[i]).length;
      lines.push(`duplicates: ${data.groupRows[i]} rows, ${here} on this map; group ${data.groups[data.group[i]]}`);
    }
    return lines;
  }

  const title = (i) => (data.label[i] < 0 ? "no label (test)" : data.classes[data.label[i]]);

  function showCard() {
    const current = hovered >= 0 ? hovered : kept;
    card.hidden = current < 0;
    if (current < 0) return;
    const frame = byId("picture"), pen = frame.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, frame.width, frame.height);
    if (!picture(pen, current, 0, 0, frame.width)) {
      pen.fillStyle = "#56616d";
      pen.font = "18px sans-serif";
      pen.textAlign = "center";
      pen.fillText("no picture", frame.width / 2, frame.height / 2);
    }
    byId("what").textContent = title(current);
    byId("about").replaceChildren(
      ...about(current).map((text) => {
        const line = document.createElement("li");
        line.textContent = text;
        return line;
      }),
    );
    const x = screenX(current), y = screenY(current), gap = 16;
    const left = x + gap + card.offsetWidth < width ? x + gap : x - gap - card.offsetWidth;
    card.style.left = `${Math.min(Math.max(left, 4), Math.max(width - card.offsetWidth - 4, 4))}px`;
    card.style.top = `${Math.min(Math.max(y - card.offsetHeight / 2, 4), Math.max(height - card.offsetHeight - 4, 4))}px`;
  }

  function hover(i) {
    if (i === hovered) return;
    hovered = i;
    showCard();
    redraw();
  }

  function keep(i) {
    kept = i;
    hovered = -1;
    byId("said").textContent = i < 0 ? "\u00a0" : [title(i), ...about(i)].join(", ");
    showCard();
    redraw();
  }

  // Points near a place on the screen, the nearest first; those that the legend leaves out do not answer.
  function near(x, y, reach) {
    const found = [];
    for (const i of every) {
      const distance = Math.hypot(screenX(i) - x, screenY(i) - y);
      if (distance <= reach && shown(i)) found.push([distance, i]);
    }
    return found.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
  }

  function choose(x, y, reach) {
    const found = near(x, y, reach), again = found.indexOf(kept);
    keep(found.length ? found[(again + 1) % found.length] : -1);
  }

  function step(dx, dy) {
    const from = kept >= 0 ? [screenX(kept), screenY(kept)] : [width / 2, height / 2];
    let best = -1, least = Infinity;
    for (const i of every) {
      if (i === kept || !shown(i)) continue;
      const ahead = (screenX(i) - from[0]) * dx + (screenY(i) - from[1]) * dy;
      const aside = Math.abs((screenX(i) - from[0]) * dy) + Math.abs((screenY(i) - from[1]) * dx);
      if (kept >= 0 && (ahead <= 0 || aside > 2 * ahead)) continue;
      const cost = kept >= 0 ? ahead + 2 * aside : Math.hypot(ahead, aside);
      if (cost < least) [best, least] = [i, cost];
    }
    if (best >= 0) goTo(best);
  }

  function goTo(i) {
    if (!inView(i, -MARGIN)) {
      middleX = data.x[i];
      middleY = data.y[i];
      untouched = false;
    }
    keep(i);
  }

  // ---- pointers: a mouse, a pen, one finger or two ----
  const pressed = new Map();
  let pinch = 0, travelled = 0;

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [[ax, ay], [bx, by]] = [...pressed.values()];
    return [Math.hypot(ax - bx, ay - by), (ax + bx) / 2, (ay + by) / 2];
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, at(event));
    if (pressed.size === 1) travelled = 0;
    if (pressed.size === 2) [pinch] = spread();
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    const before = pressed.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") hover(near(x, y, REACH)[0] ?? -1);
      return;
    }
    const [dx, dy] = [x - before[0], y - before[1]];
    travelled += Math.hypot(dx, dy);
    pressed.set(event.pointerId, [x, y]);
    if (pressed.size === 2) {
      const [apart, middle, line] = spread();
      if (pinch > 0 && apart > 0) zoom(apart / pinch, middle, line);
      pinch = apart;
      move(dx / 2, dy / 2);
    } else if (travelled > SLACK) {
      move(dx, dy);
    }
    if (travelled > SLACK) showCard();
  });
  function release(event) {
    const tapped = pressed.delete(event.pointerId) && pressed.size === 0 && travelled <= SLACK;
    if (tapped && event.type === "pointerup") {
      choose(...at(event), event.pointerType === "touch" ? TOUCH_REACH : REACH);
    }
  }
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      zoom(Math.exp(-Math.max(Math.min(event.deltaY * lines, 300), -300) / 300), ...at(event));
      showCard();
    },
    { passive: false },
  );

  // ---- keys and controls ----
  const KEYS = {
    ArrowLeft: () => step(-1, 0),
    ArrowRight: () => step(1, 0),
    ArrowUp: () => step(0, -1),
    ArrowDown: () => step(0, 1),
    "+": () => zoom(1.5),
    "=": () => zoom(1.5),
    "-": () => zoom(1 / 1.5),
    0: showWhole,
    Escape: () => keep(-1),
  };
  canvas.addEventListener("keydown", (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    showCard();
  });
  byId("nearer").addEventListener("click", () => (zoom(1.5), showCard()));
  byId("farther").addEventListener("click", () => (zoom(1 / 1.5), showCard()));
  byId("whole").addEventListener("click", () => (showWhole(), showCard()));
  byId("controls").addEventListener("submit", (event) => {
    event.preventDefault();
    const sought = byId("sought").value.trim();
    const found = every.find((i) => data.image[i] === sought || data.product[i] === sought);
    if (found === undefined) {
      keep(-1);
      byId("said").textContent = sought ? `${sought} is not among the ${count} rows of this map` : "\u00a0";
      return;
    }
    scale = Math.max(scale, fitted * 6);
    middleX = data.x[found];
    middleY = data.y[found];
    untouched = false;
    keep(found);
  });
  byId("colour").addEventListener("change", (event) => colourBy(event.target.value));

  // ---- legend ----
  const SVG = "http://www.w3.org/2000/svg";
  function swatch({ colour, shape }) {
    const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
    const corners = [];
    const pen = {
      moveTo: (x, y) => corners.push(`M${x} ${y}`),
      lineTo: (x, y) => corners.push(`L${x} ${y}`),
      closePath: () => corners.push("Z"),
      rect: (x, y, w, h) => corners.push(`M${x} ${y}h${w}v${h}h${-w}Z`),
      arc: (x, y, r) => corners.push(`A${r} ${r} 0 1 1 ${x - r} ${y}A${r} ${r} 0 1 1 ${x + r} ${y}`),
    };
    mark(pen, shape, 8, 8, 5);
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", corners.join(""));
    path.style.fill = shape === "cross" ? "none" : `var(${colour})`;
    path.style.stroke = shape === "cross" ? `var(${colour})` : "none";
    path.style.strokeWidth = "1.6";
    svg.append(path);
    return svg;
  }

  function entry(kind) {
    const line = document.createElement("li"), button = document.createElement("button");
    const name = document.createElement("span"), tally = document.createElement("span");
    name.textContent = mode.kinds[kind].name;
    tally.textContent = members[kind].length.toLocaleString("en");
    tally.className = "count";
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(swatch(mode.kinds[kind]), name, tally);
    button.addEventListener("click", () => {
      if (!picked.delete(kind)) picked.add(kind);
      button.setAttribute("aria-pressed", String(picked.has(kind)));
      redraw();
    });
    line.append(button);
    return line;
  }

  function colourBy(name) {
    mode = MODES[name];
    picked = new Set();
    members = mode.kinds.map(() => []);
    for (const i of every) members[mode.of(i)].push(i);
    byId("legend-title").textContent = mode.title;
    const there = mode.kinds.map((_, kind) => kind).filter((kind) => members[kind].length);
    legend.replaceChildren(...there.map(entry));
    redraw();
  }

  colourBy(byId("colour").value); // A browser that reloads a page keeps what was chosen.
  readColours();
  measure();
  new ResizeObserver(measure).observe(stage);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
  for (const sheet of sheets) sheet.decode().then(() => (showCard(), redraw()), redraw);
})();
