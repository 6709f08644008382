// Sends a tip as JSON, so that no other site's form can.

"use strict";

(() => {
  const form = document.querySelector("form[data-tip]");
  const output = form.querySelector("output");
  const button = form.querySelector("button");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = new FormData(form);
    button.disabled = true;
    output.className = "";
    output.textContent = form.dataset.sending;
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ text: fields.get("text"), contact: fields.get("contact") }),
      });
      if (answer.ok) {
        form.reset();
        output.className = "done";
        output.textContent = form.dataset.sent;
      } else {
        const problem = await answer.json().catch(() => null);
        output.className = "failed";
        output.textContent = problem && problem.problems
          ? problem.problems.map((each) => each[document.documentElement.lang === "en" ? "en" : "zh"]).join(" ")
          : form.dataset.failed;
      }
    } catch {
      output.className = "failed";
      output.textContent = form.dataset.failed;
    }
    button.disabled = false;
  });
})();
