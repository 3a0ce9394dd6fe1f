/** Where agents on shift are, following them as they move; the table beside the map says the same. */

import { follow } from "./live.js";
import { drawMap } from "./map.js";

const TONES = { available: "good", busy: "", on_break: "warn", offline: "muted" };
const WORDS = { available: "available", busy: "busy", on_break: "on a break", offline: "offline" };

const part = document.querySelector("[data-agents-map]");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: part?.dataset.zone });

const seen = (agent) => (agent.located_at ? `seen ${clock.format(new Date(agent.located_at))}` : "not seen yet");
const told = (agent) => `${WORDS[agent.status] ?? agent.status}, ${agent.load} of ${agent.max_load}, ${seen(agent)}`;

function points(agents) {
  return agents.map((agent) => ({
    id: agent.id,
    latitude: agent.latitude,
    longitude: agent.longitude,
    label: `${agent.name}: ${told(agent)}`,
    number: agent.name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase(),
    kind: "agent",
    tone: TONES[agent.status] ?? "",
  }));
}

function row(agent) {
  const line = document.createElement("li");
  const link = document.createElement("a");
  link.href = part.dataset.page.replace(part.dataset.placeholder, agent.id);
  link.textContent = agent.name;
  const words = document.createElement("span");
  words.className = "portal-muted";
  words.textContent = ` ${told(agent)}`;
  line.append(link, words);
  return line;
}

function list(agents) {
  part.querySelector("[data-agents-count]").textContent = agents.length;
  part.querySelector("[data-agents-none]").hidden = agents.length > 0;
  part.querySelector("[data-agents-list]").replaceChildren(...agents.map(row));
}

if (part !== null) {
  const canvas = part.querySelector("[data-map]");
  const data = JSON.parse(document.getElementById("agents-map-data").textContent);
  const leave = (point) => location.assign(part.dataset.page.replace(part.dataset.placeholder, point.id));
  const drawn = drawMap(canvas, {
    points: points(data.agents),
    circles: data.regions,
    tiles: canvas.dataset.tiles,
    onPick: leave,
  });
  list(data.agents);
  follow("/ws/agents/", {
    say: (words) => {
      part.querySelector("[data-agents-live]").textContent = words;
    },
    live: "Live: positions follow by themselves.",
    hear: ({ agents }) => {
      drawn.update({ points: points(agents) });
      list(agents);
    },
  });
}
