// The pages work without this file. It opens every folded part before a page is printed and folds it again after.
const unfolded = [];
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) {
    part.open = true;
    unfolded.push(part);
  }
});
addEventListener("afterprint", () => {
  while (unfolded.length) unfolded.pop().open = false;
});
