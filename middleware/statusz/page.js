"use strict";
(() => {
	const main = () => document.querySelector("main");
	const pause = document.getElementById("pause");
	let paused = false;
	let timer = 0;

	const opened = () => new Set([...document.querySelectorAll("details[open]")].map((d) => d.dataset.key));

	// replace puts what was fetched in the place of what is shown, with the same
	// statements unfolded and the focus where it was.
	const replace = (text) => {
		const next = new DOMParser().parseFromString(text, "text/html");
		const keep = opened();
		const focused = document.activeElement?.parentElement?.dataset.key;
		for (const d of next.querySelectorAll("details")) {
			d.open = keep.has(d.dataset.key);
		}
		document.title = next.title;
		main().replaceWith(document.adoptNode(next.querySelector("main")));
		if (focused !== undefined) {
			const details = [...document.querySelectorAll("details")].find((d) => d.dataset.key === focused);
			details?.querySelector("summary").focus({ preventScroll: true });
		}
	};

	// A reader who marks text, or looks elsewhere, is not disturbed.
	const busy = () => paused || document.hidden || !document.getSelection().isCollapsed;

	const refresh = async () => {
		if (!busy()) {
			try {
				const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
				const text = await answer.text();
				if (!answer.ok) {
					throw new Error(answer.statusText);
				}
				if (!busy()) {
					replace(text);
				}
				document.body.classList.remove("stalled");
			} catch {
				document.body.classList.add("stalled");
			}
		}
		schedule();
	};

	const schedule = () => {
		clearTimeout(timer);
		timer = setTimeout(refresh, Number(main().dataset.refresh));
	};

	pause.hidden = false;
	pause.addEventListener("click", () => {
		paused = !paused;
		pause.textContent = paused ? "Go on" : "Pause";
	});
	schedule();
})();
