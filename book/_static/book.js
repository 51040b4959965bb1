// The pages work without this file. Before a page is printed it opens every folded part and lights a dark page, as
// paper is white; after, it undoes both.
const unfolded = [];
const page = document.documentElement;
let theme = "";
addEventListener("beforeprint", () => {
  theme = page.dataset.theme;
  page.dataset.theme = "light";
  for (const part of document.querySelectorAll("details:not([open])")) {
    part.open = true;
    unfolded.push(part);
  }
});
addEventListener("afterprint", () => {
  page.dataset.theme = theme;
  while (unfolded.length) unfolded.pop().open = false;
});
