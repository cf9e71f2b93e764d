// Before anything is shown: the language that was asked for or chosen before, and the theme.
(() => {
  const root = document.documentElement;
  const kept = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const asked = new URLSearchParams(location.search).get("lang");
  const language = [asked, kept("language"), navigator.language.slice(0, 2)].find((each) => each === "en" || each === "zh") || "en";
  root.dataset.language = language;
  root.lang = language === "zh" ? "zh-CN" : "en";
  const theme = kept("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
