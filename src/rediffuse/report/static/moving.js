// Paints the pictures that move (report/moving.py): canvases, and the numbers beside them. The words stand in the page.
"use strict";
(() => {
  const root = document.documentElement;
  const STEP = 90; // milliseconds a frame
  const HOLD = 1200; // at either end
  const FOLLOWED = 3; // points that are marked
  const TRAIL = 6; // their last steps that are drawn
  const VIEW = 2.9; // half the width of the plane that is shown
  const ARROW = 0.42; // length of the longest arrow in it

  const language = () => (root.dataset.language === "zh" ? "zh" : "en");

  function unpack(text, Type) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Type(bytes.buffer);
  }

  /** A number to three figures. */
  function short(x) {
    if (x === 0 || (Math.abs(x) >= 1e-4 && Math.abs(x) < 1e5)) return String(Number(x.toPrecision(3)));
    const [digits, power] = x.toExponential(1).split("e");
    const raised = [...String(Number(power))].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])).join("");
    return `${digits} × 10${raised}`;
  }

  /** A canvas as sharp as the screen, empty, its units CSS pixels. */
  function sheet(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const { color, fontFamily } = getComputedStyle(canvas);
    pen.strokeStyle = pen.fillStyle = color;
    pen.font = `11px ${fontFamily}`;
    return { pen, width, height, ink: color };
  }

  function line(pen, points) {
    pen.beginPath();
    points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.stroke();
  }

  /** Images of some bytes side by side, a canvas pixel each of theirs: the page enlarges them. */
  function tiles(canvas, bytes, first, n, columns, [height, width, channels]) {
    const rows = Math.ceil(n / columns);
    canvas.width = columns * (width + 1) - 1;
    canvas.height = rows * (height + 1) - 1;
    const pen = canvas.getContext("2d");
    for (let k = 0; k < n; k++) {
      const image = pen.createImageData(width, height);
      for (let pixel = 0; pixel < width * height; pixel++) {
        const from = ((first + k) * width * height + pixel) * channels;
        for (let channel = 0; channel < 3; channel++) image.data[4 * pixel + channel] = bytes[from + Math.min(channel, channels - 1)];
        image.data[4 * pixel + 3] = 255;
      }
      pen.putImageData(image, (k % columns) * (width + 1), Math.floor(k / columns) * (height + 1));
    }
  }

  // --- a painter a kind: (data, canvases, colours) -> at(state) -> { text: numbers to fill in, when: notes that hold } ---

  function chains(data, canvases, colours) {
    const points = { forward: unpack(data.forward, Int16Array), reverse: unpack(data.reverse, Int16Array) };
    const fields = { learned: unpack(data.learned, Int16Array), exact: unpack(data.exact, Int16Array) };
    const seen = unpack(data.seen, Uint8Array);
    const [frames, nodes] = [data.times.length, data.axis.length ** 2];
    const n = points.forward.length / frames / 2;

    function panel(name, frame, trail) {
      const { pen, width, ink } = sheet(canvases[name]);
      const place = (x, y) => [((x + VIEW) / (2 * VIEW)) * width, ((VIEW - y) / (2 * VIEW)) * width];
      const at = (k, point) => {
        const from = 2 * (k * n + point);
        return place((points[name][from] / 32767) * data.widest, (points[name][from + 1] / 32767) * data.widest);
      };
      pen.globalAlpha = 0.25;
      pen.strokeRect(0.5, 0.5, width - 1, width - 1);
      pen.globalAlpha = 0.65;
      for (const tick of [-2, -1, 0, 1, 2]) {
        const [x, y] = place(tick, tick);
        line(pen, [[x, width], [x, width - 4]]);
        line(pen, [[0, y], [4, y]]);
        if (tick % 2 === 0) {
          pen.textAlign = "center";
          pen.fillText(String(tick).replace("-", "−"), x, width - 7);
          if (tick) pen.fillText(String(tick).replace("-", "−"), 13, y + 4);
        }
      }
      pen.globalAlpha = 0.5;
      for (let point = 0; point < n; point++) {
        const [x, y] = at(frame, point);
        pen.beginPath();
        pen.arc(x, y, 1.5, 0, 7);
        pen.fill();
      }
      pen.globalAlpha = 1;
      for (let point = 0; point < Math.min(FOLLOWED, n); point++) {
        line(pen, trail.map((k) => at(k, point)));
        pen.beginPath();
        pen.arc(...at(frame, point), 3.5, 0, 7);
        pen.fill();
      }
      return { pen, place, ink };
    }

    function arrows({ pen, place, ink }, step, field) {
      const side = data.axis.length;
      for (let node = 0; node < nodes; node++) {
        const from = 2 * (step * nodes + node);
        const [u, v] = [0, 1].map((k) => (fields[field][from + k] / 32767) * data.reach);
        const length = Math.hypot(u, v);
        const known = seen[step * nodes + node];
        const scale = ARROW / (known ? 1 : Math.max(length, 1));
        const [x, y] = [data.axis[node % side], data.axis[Math.floor(node / side)]];
        const [start, end] = [place(x, y), place(x + u * scale, y + v * scale)];
        pen.globalAlpha = known ? 1 : 0.22;
        pen.strokeStyle = pen.fillStyle = known ? colours[field] : ink;
        pen.lineWidth = known ? 1.4 : 1;
        const pixels = Math.hypot(end[0] - start[0], end[1] - start[1]);
        const turn = Math.atan2(end[1] - start[1], end[0] - start[0]);
        const head = Math.min(5, 0.45 * pixels);
        line(pen, [start, end]);
        pen.beginPath();
        pen.moveTo(...end);
        for (const side of [-1, 1]) pen.lineTo(end[0] - head * Math.cos(turn + 0.45 * side), end[1] - head * Math.sin(turn + 0.45 * side));
        pen.fill();
      }
      pen.globalAlpha = pen.lineWidth = 1;
    }

    return ({ t: frame, field }) => {
      const t = data.times[frame];
      const range = (from, to) => Array.from({ length: to - from + 1 }, (_, k) => from + k);
      panel("forward", frame, range(Math.max(frame - TRAIL, 0), frame));
      const drawn = panel("reverse", frame, range(frame, Math.min(frame + TRAIL, frames - 1)));
      const step = frame - 1;
      if (t && field !== "none") arrows(drawn, step, field);
      const number = (values) => (t ? short(values) : "–");
      const [error, size] = t ? data.rms[step] : [0, 0];
      return {
        text: {
          t, time: `${t} / ${data.times[frames - 1]}`, beta: number(data.beta[frame]), signal: short(data.signal[frame]),
          longest: number(data.longest[step]), size: number(size), error: number(error),
        },
        when: { step: t > 1, edge: t === 1, end: t === 0 },
      };
    };
  }

  function progress(data, canvases, colours) {
    const images = { x_t: unpack(data.x_t, Uint8Array), x0: unpack(data.x0, Uint8Array) };
    const [height, width, channels] = data.size;
    const frames = data.times.length;
    const n = images.x0.length / (frames * height * width * channels);
    const columns = Math.ceil(Math.sqrt(n));

    function curve(frame) {
      const { pen, width, height, ink } = sheet(canvases.curve);
      const [left, right, top, bottom] = [44, width - 10, 8, height - 22];
      const T = data.times[0];
      const low = Math.log10(Math.min(...data.distance) / 1.4);
      const high = Math.log10(Math.max(...data.distance) * 1.4);
      const across = (t) => left + ((T - t) / Math.max(T - data.times[frames - 1], 1)) * (right - left);
      const up = (value) => bottom - ((Math.log10(value) - low) / (high - low)) * (bottom - top);
      pen.globalAlpha = 0.65;
      line(pen, [[left, top], [left, bottom], [right, bottom]]);
      pen.textAlign = "right";
      for (let power = Math.floor(low); power <= high; power++) {
        for (const digit of [1, 2, 5]) {
          const value = digit * 10 ** power;
          if (Math.log10(value) < low || Math.log10(value) > high) continue;
          line(pen, [[left - 4, up(value)], [left, up(value)]]);
          pen.fillText(short(value), left - 7, up(value) + 4);
        }
      }
      const gaps = Math.min(width < 480 ? 2 : 4, frames - 1);
      const ticks = Array.from({ length: gaps + 1 }, (_, k) => data.times[Math.round((k * (frames - 1)) / Math.max(gaps, 1))]);
      ticks.forEach((t, k) => {
        pen.textAlign = k === 0 ? "left" : k === ticks.length - 1 ? "right" : "center";
        line(pen, [[across(t), bottom], [across(t), bottom + 4]]);
        pen.fillText(`t = ${t}`, across(t), bottom + 17);
      });
      pen.globalAlpha = 1;
      pen.strokeStyle = pen.fillStyle = colours.learned;
      pen.lineWidth = 1.5;
      const places = data.times.map((t, k) => [across(t), up(data.distance[k])]);
      line(pen, places);
      places.forEach(([x, y], k) => {
        const [least, most] = [Math.max(data.distance[k] - data.sd[k], 10 ** low), data.distance[k] + data.sd[k]];
        line(pen, [[x, up(least)], [x, up(most)]]);
        pen.beginPath();
        pen.arc(x, y, 2.5, 0, 7);
        pen.fill();
      });
      pen.strokeStyle = ink;
      pen.beginPath();
      pen.arc(...places[frame], 7, 0, 7);
      pen.stroke();
    }

    return ({ t: frame }) => {
      const t = data.times[frame];
      for (const name of ["x_t", "x0"]) tiles(canvases[name], images[name], frame * n, n, columns, data.size);
      curve(frame);
      const distance = `${short(data.distance[frame])} ± ${Number(data.sd[frame].toPrecision(2))}`;
      return {
        text: {
          t, time: `${t} / ${data.times[0]}`, taken: data.times[0] - t + 1, beta: short(data.beta[frame]),
          signal: short(data.signal[frame]), distance,
        },
        when: {},
      };
    };
  }

  function grid(data, canvases) {
    const [images, latents] = [unpack(data.images, Uint8Array), unpack(data.latents, Uint8Array)];
    const n = latents.length / (data.size[0] * data.size[1] * data.size[2]);
    const cell = (S, eta) => (S * data.eta.length + eta) * n;
    return ({ S, eta }) => {
      tiles(canvases.latents, latents, 0, n, n, data.size);
      tiles(canvases.reference, images, cell(data.steps.length - 1, 0), n, n, data.size);
      tiles(canvases.chosen, images, cell(S, eta), n, n, data.size);
      const steps = data.steps[S];
      const rest = steps > data.tau[S].length ? `, … (${steps})` : "";
      return {
        text: {
          S: steps, eta: data.eta[eta], tau: data.tau[S].join(", ") + rest,
          apart: short(data.apart[S][eta]), distance: data.distance[S][eta],
        },
        when: { clipped: data.clipped[eta], ode: Number(data.eta[eta]) === 0, drawn: Number(data.eta[eta]) > 0 },
      };
    };
  }

  // --- what is the same for all: the state of the controls, numbers, words for who cannot see, and the button that plays ---

  const PAINTERS = { chains, progress, grid };

  function start(figure) {
    const find = (selector) => [...figure.querySelectorAll(selector)];
    const canvases = Object.fromEntries(find("canvas").map((canvas) => [canvas.dataset.canvas, canvas]));
    const sliders = find("input[type=range]");
    const data = JSON.parse(figure.querySelector("script").textContent);
    const colours = {};
    const at = PAINTERS[figure.dataset.moving](data, canvases, colours);
    figure.querySelector(".moving-live").hidden = false;
    figure.classList.add("moving-runs");

    function paint() {
      for (const probe of find("[data-colour]")) colours[probe.dataset.colour] = getComputedStyle(probe).color;
      const state = Object.fromEntries(sliders.map((slider) => [slider.name, Number(slider.value)]));
      const field = figure.querySelector("input[type=radio]:checked");
      const { text, when } = at({ ...state, field: field && field.value });
      const fill = (words) => words.replace(/{(\w+)}/g, (_, name) => text[name]);
      for (const place of find("[data-value]")) place.textContent = text[place.dataset.value];
      for (const note of find(".moving-note [data-when]")) note.hidden = !when[note.dataset.when];
      const words = language() === "zh" ? "Zh" : "En";
      for (const slider of sliders) slider.setAttribute("aria-valuetext", fill(slider.dataset[`text${words}`]));
      for (const canvas of Object.values(canvases)) canvas.setAttribute("aria-label", fill(canvas.dataset[`label${words}`]));
    }

    let asked = 0;
    const repaint = () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        paint();
      });
    };
    for (const control of find("input")) control.addEventListener("input", repaint);
    document.addEventListener("languagechange", repaint);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    new MutationObserver(repaint).observe(root, { attributes: true });
    new ResizeObserver(repaint).observe(figure);
    paint();

    const button = figure.querySelector(".moving-play");
    if (!button) return;
    const [slider] = sliders;
    let [timer, direction] = [0, -1];
    function show(playing) {
      clearTimeout(timer);
      timer = 0;
      for (const word of button.querySelectorAll("[data-when]")) word.hidden = (word.dataset.when === "playing") !== playing;
    }
    function next() {
      const [now, last] = [Number(slider.value), Number(slider.max)];
      if (now === 0) direction = 1;
      if (now === last) direction = -1;
      slider.value = now + direction;
      repaint();
      timer = setTimeout(next, Number(slider.value) % last ? STEP : HOLD);
    }
    button.addEventListener("click", () => {
      if (timer) return show(false);
      show(true);
      next();
    });
    slider.addEventListener("input", () => show(false));
  }

  for (const figure of document.querySelectorAll("figure.moving")) start(figure);
})();
