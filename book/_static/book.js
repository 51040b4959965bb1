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

// Another language: the same page and the section that is being read. The choice is kept for the book's first page.
function sectionInView() {
  const ids = [...document.querySelectorAll("article.bd-article section[id]")];
  const begun = ids.filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
  return begun.length > 1 ? `#${begun.at(-1).id}` : "";
}
for (const link of document.querySelectorAll("a[data-language]")) {
  link.addEventListener("click", () => {
    link.hash = scrollY > 0 ? sectionInView() : "";
    try {
      localStorage.setItem("language", link.dataset.language);
    } catch {
      // A reader may forbid it.
    }
  });
}
