(() => {
  const root = document.documentElement;
  const keep = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a browser that keeps nothing */ } };
  const all = (selector) => [...document.querySelectorAll(selector)];

  // Attributes that have words: data-zh-alt beside alt, and the title.
  const words = all("[data-zh-alt], [data-zh-aria-label]").flatMap((element) =>
    ["alt", "aria-label"].filter((name) => element.hasAttribute(`data-zh-${name}`)).map((name) => ({
      element, name, en: element.getAttribute(name), zh: element.getAttribute(`data-zh-${name}`),
    })));
  const title = document.querySelector("title");
  const titles = { en: title.textContent, zh: title.dataset.zh };

  function speak(language) {
    root.dataset.language = language;
    root.lang = language === "zh" ? "zh-CN" : "en";
    document.title = titles[language];
    for (const { element, name, [language]: text } of words) element.setAttribute(name, text);
    // Pages from disk may not share what a browser keeps: links carry the language.
    for (const link of all("a[href]")) {
      const href = link.getAttribute("href");
      if (/^[^:#?]+\.html/.test(href)) link.setAttribute("href", href.replace(/\.html(\?[^#]*)?/, `.html?lang=${language}`));
    }
    fit();
  }

  const languageButton = document.getElementById("language");
  languageButton.addEventListener("click", () => {
    const language = root.dataset.language === "zh" ? "en" : "zh";
    const here = position();
    keep("language", language);
    const url = new URL(location.href);
    url.searchParams.set("lang", language);
    try { history.replaceState(null, "", url); } catch { /* not from disk, in some browsers */ }
    speak(language);
    here();
  });

  // What is read stays in sight when the other language is longer or shorter.
  function position() {
    const first = all("main h2, main h3, main .artifact, main tr").find((element) => element.getBoundingClientRect().bottom > 0 && element.offsetParent);
    if (!first || window.scrollY === 0) return () => {};
    const before = first.getBoundingClientRect().top;
    return () => { if (first.offsetParent) window.scrollBy(0, first.getBoundingClientRect().top - before); };
  }

  const themeButton = document.getElementById("theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const press = () => themeButton.setAttribute("aria-pressed", dark());
  themeButton.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    keep("theme", root.dataset.theme);
    press();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", press);

  const filters = document.getElementById("filters");
  if (filters) {
    const rows = all("table.claims tbody tr"), chosen = { verdict: "", paper: "" };
    filters.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      chosen[button.dataset.filter] = button.dataset.value;
      for (const each of all(`#filters [data-filter=${button.dataset.filter}]`)) each.setAttribute("aria-pressed", each === button);
      for (const row of rows) row.hidden = Object.entries(chosen).some(([key, value]) => value && row.dataset[key] !== value);
      document.getElementById("shown").textContent = rows.filter((row) => !row.hidden).length;
    });
    filters.hidden = false;
  }

  // What scrolls sideways can be reached by the keyboard; what fits is no stop.
  function fit() {
    for (const element of all(".scroll, pre, p, table, math, .formula")) {
      if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible") element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    }
  }
  addEventListener("resize", fit);
  document.addEventListener("toggle", fit, true);

  // A link to what is folded away opens it; on paper everything is open.
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let element = target; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
  };
  addEventListener("hashchange", open);
  addEventListener("beforeprint", () => all("main details").forEach((element) => { element.open = true; }));
  if (matchMedia("(max-width: 68rem)").matches) all(".contents details").forEach((element) => { element.open = false; });

  languageButton.hidden = themeButton.hidden = false;
  press();
  open();
  speak(root.dataset.language);
})();
