// What pages do when they are read in a browser: tables filter and sort, buttons copy. Without it everything can be read.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page from a file has no clipboard to write to in every browser: what is selected can be copied in all.
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(button.dataset.copy));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.v ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
};

for (const table of document.querySelectorAll("[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const body = table.tBodies[0];
    // Figures are first sorted from the largest, names from A.
    const numeric = typeof value(body.rows[0], column) === "number";
    const was = head.getAttribute("aria-sort");
    const down = was ? was === "ascending" : numeric;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    const rows = [...body.rows].map((row, place) => ({ row, place, key: value(row, column) }));
    rows.sort((a, b) => (down ? -1 : 1) * order(a.key, b.key) || a.place - b.place);
    body.append(...rows.map((entry) => entry.row));
  }));
}

const filter = (name) => {
  const table = document.getElementById(name);
  const words = document.querySelector(`[data-filter="${name}"]`).value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = document.querySelector(`[data-placement="${name}"]`)?.value ?? "";
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    let any = !wanted;
    if (table.closest(".matrix")) {
      for (const cell of row.querySelectorAll("td:not(.n)")) {
        const kind = cell.classList[0];
        const fits = !wanted || kind === wanted || (wanted === "fits" && ["gpu", "mix", "ram"].includes(kind));
        cell.classList.toggle("dim", !fits);
        any ||= fits;
      }
    }
    row.hidden = !any || !words.every((word) => text.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  const count = document.querySelector(`[data-count="${name}"]`);
  if (count) count.textContent = `${shown} of ${table.tBodies[0].rows.length}`;
};

for (const field of document.querySelectorAll("[data-filter]")) {
  field.addEventListener("input", () => filter(field.dataset.filter));
  filter(field.dataset.filter);
}
for (const field of document.querySelectorAll("[data-placement]")) {
  field.addEventListener("change", () => filter(field.dataset.placement));
}

// The calculator. Every figure was computed by the collection; here they are looked up, added and compared.
const GIB = 2 ** 30;
const form = document.getElementById("calculator");
const gib = (bytes) => (bytes / GIB).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const models = {};
// The files with a model's data call this: a script can be loaded from a file too, where fetch cannot.
window.calculatorData = (data) => { models[data.slug] = data; };

const element = (name, attributes = {}, ...children) => {
  const svg = ["svg", "rect", "title"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, text] of Object.entries(attributes)) made.setAttribute(key, text);
  made.append(...children);
  return made;
};

if (form) {
  const common = JSON.parse(document.getElementById("common").textContent);
  const field = (name) => form.elements[name];
  const names = { gpu: "all on GPUs", experts: "experts in RAM, the rest on GPUs", host: "all in RAM" };

  const load = (slug) => models[slug] ? Promise.resolve() : new Promise((resolve, reject) => {
    const script = element("script", { src: `calculator/${slug}.js` });
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    document.head.append(script);
  });

  const options = (select, values, wanted, text = String) => {
    select.replaceChildren(...values.map((entry) => element("option", { value: entry }, text(entry))));
    if (values.map(String).includes(String(wanted))) select.value = wanted;
  };

  // What a placement takes: bytes of each GPU and, last, of the host. Null where it was not computed.
  const taken = (model, wish, placement) => {
    const count = placement === "host" ? 0 : wish.count;
    const rows = placement === "experts" ? model.experts[wish.quant] : model.choices;
    const row = rows[`${placement}/${count}/${wish.slots}/${wish.type}`]?.[wish.at];
    const weights = model.weights[wish.quant][`${placement}/${count}`];
    if (!row || !weights) return null;
    return weights.map((bytes, place) => {
      const host = place === count;
      const kv = row[place];
      const buffers = row[count + 1 + place] + (host ? model.output[wish.slots] : 0);
      const overhead = !host && bytes + kv + buffers ? wish.gpu.overhead : 0;
      const free = host ? Math.max(0, wish.ram - Math.min(4 * GIB, Math.floor(wish.ram / 8))) : wish.gpu.free - Math.max(wish.reserve, overhead + common.growth) + overhead;
      return { name: host ? "RAM" : `GPU${place}`, host, weights: bytes, kv, buffers, overhead, total: bytes + kv + buffers + overhead, free };
    });
  };

  const draw = (device) => {
    const parts = [["weights", device.weights], ["kv", device.kv], ["compute", device.buffers], ["overhead", device.overhead], ["free", Math.max(0, device.free - device.total)]];
    const whole = Math.max(device.total, device.free, 1);
    const picture = element("svg", { width: "100%", height: 26, role: "img", "aria-label": `${device.name}: ${gib(device.total)} of ${gib(device.free)} GiB` });
    let at = 0;
    for (const [kind, bytes] of parts.filter((part) => part[1])) {
      picture.append(element("rect", { class: `k-${kind}`, x: `${100 * at / whole}%`, width: `${100 * bytes / whole}%`, height: 26 }, element("title", {}, `${kind}: ${gib(bytes)} GiB`)));
      at += bytes;
    }
    const over = device.total > device.free ? `, ${gib(device.total - device.free)} GiB too much` : "";
    return element("div", { class: "bar" }, element("p", {}, element("strong", {}, device.name), element("span", { class: "amount" }, `${gib(device.total)} of ${gib(device.free)} GiB${over}`)), picture);
  };

  const number = (bytes) => element("td", { class: "n", "data-bytes": bytes }, gib(bytes));

  const show = () => {
    const model = models[field("model").value];
    if (!model) return;
    const gpu = common.gpus[field("gpu").value];
    const wish = {
      quant: field("quant").value, at: field("context").selectedIndex, slots: field("slots").value, type: field("type").value,
      gpu, count: Number(field("count").value), ram: Math.round(Number(field("ram").value) * GIB), reserve: Math.round(Number(field("reserve").value) * GIB),
    };
    const ways = (gpu ? ["gpu", "experts", "host"] : ["host"]).map((placement) => {
      const devices = taken(model, wish, placement);
      const gpus = devices?.filter((device) => !device.host) ?? [];
      return { placement, devices, fullest: Math.max(0, ...gpus.map((device) => device.total)), fits: devices?.every((device) => device.total <= device.free) };
    }).filter((way) => way.devices || Object.keys(model.experts[wish.quant]).length || way.placement !== "experts");
    const excess = (way) => Math.max(...way.devices.map((device) => device.total - device.free));
    const best = ways.find((way) => way.fits) ?? ways.filter((way) => way.devices).sort((a, b) => excess(a) - excess(b))[0];
    const verdict = document.getElementById("verdict");
    verdict.replaceChildren();
    if (!best) { verdict.append("This choice was not computed; the collection answers it."); return; }
    const css = { gpu: "gpu", experts: "mix", host: "ram" };
    verdict.append(best.fits ? element("span", { class: `sign ${css[best.placement]}` }, { gpu: "● GPU", experts: "◐ GPU and RAM", host: "○ RAM" }[best.placement]) : element("span", { class: "sign none" }, "✕ Does not fit"),
      best.fits ? ` It fits with ${names[best.placement]}.` : ` Nearest comes ${names[best.placement]}.`);
    document.getElementById("drawn").replaceChildren(...best.devices.map(draw));
    document.querySelector("#devices tbody").replaceChildren(...best.devices.map((device) => element("tr", {}, element("th", { scope: "row" }, device.name),
      number(device.weights), number(device.kv), number(device.buffers), number(device.overhead), number(device.total), number(device.free))));
    document.querySelector("#placements tbody").replaceChildren(...ways.map((way) => element("tr", { "data-way": way.placement }, element("th", { scope: "row" }, names[way.placement]),
      ...(way.devices ? [number(way.fullest), number(way.devices.at(-1).total), element("td", {}, way.fits ? "yes" : "no")]
        : [element("td", { class: "n" }, "-"), element("td", { class: "n" }, "-"), element("td", {}, "not computed for this choice")]))));
    const context = Number(field("context").value);
    const launch = { ctx_size: context * (wish.slots === "shared" ? 1 : Number(wish.slots)), cache_type_k: wish.type, cache_type_v: wish.type };
    if (wish.slots !== "shared") Object.assign(launch, { parallel: Number(wish.slots), kv_unified: false });
    if (best.placement === "experts") launch.cpu_moe = true;
    if (best.placement === "host") launch.device = ["none"];
    const gpus = best.placement === "host" ? "[]" : `[{"memory_free_bytes": ${gpu.free}, "compute_capability": "${gpu.capability}"}] * ${wish.count}`;
    document.getElementById("same").textContent = `ansible localhost -m ansible.builtin.debug -a 'msg={{ "${model.model}" | prositronic.infra.memory_estimate(quant="${wish.quant}", launch=${JSON.stringify(launch)}, gpus=${gpus}) }}'`;
  };

  const choose = async () => {
    const slug = field("model").value;
    await load(slug);
    if (field("model").value !== slug) return;
    const model = models[slug];
    options(field("quant"), Object.keys(model.weights), field("quant").value || "Q4_K_M");
    options(field("context"), model.contexts, field("context").value || 32768, (tokens) => Number(tokens).toLocaleString("en"));
    show();
  };
  field("model").addEventListener("change", choose);
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  choose();

  // A pasted config.json: a known shape is exact; of another one the cache, and an estimate of the weights.
  const bytesPerValue = { f16: 2, q8_0: 34 / 32, q4_0: 18 / 32 };
  const read = (text) => {
    const whole = JSON.parse(text);
    const c = whole.text_config ?? whole;
    const need = (...keys) => {
      const found = keys.map((key) => c[key]).find((entry) => Number.isInteger(entry) && entry > 0);
      if (found === undefined) throw new Error(`${keys[0]} is missing or no number above 0`);
      return found;
    };
    const heads = need("num_attention_heads");
    const hidden = need("hidden_size");
    const experts = c.n_routed_experts ?? c.num_experts ?? c.num_local_experts ?? 0;
    return {
      layers: need("num_hidden_layers"), hidden, heads, experts,
      kvHeads: c.num_key_value_heads ?? heads, head: c.head_dim ?? Math.floor(hidden / heads),
      width: experts ? c.moe_intermediate_size ?? need("intermediate_size") : need("intermediate_size"),
      dense: c.intermediate_size ?? 0, denseLayers: experts ? c.first_k_dense_replace ?? 0 : 0, shared: c.n_shared_experts ?? 0,
      latent: c.kv_lora_rank ? c.kv_lora_rank + (c.qk_rope_head_dim ?? 0) : 0,
      vocab: need("vocab_size"), tied: c.tie_word_embeddings ?? whole.tie_word_embeddings ?? false,
      windows: Boolean(c.sliding_window || c.layer_types?.some((kind) => kind !== "full_attention") || c.full_attention_interval || c.mamba_d_state || c.attn_layer_period),
    };
  };
  const told = document.getElementById("estimate");
  const say = (...lines) => told.replaceChildren(...lines.map((line) => element("p", {}, line)));
  const estimate = async () => {
    const text = document.getElementById("pasted").value.trim();
    if (!text) return told.replaceChildren();
    let c;
    try { c = read(text); } catch (error) { return say(`This is not a config.json that the page can read: ${error.message}.`); }
    const shape = [c.layers, c.hidden, c.heads, c.latent ? "latent" : `${c.kvHeads}x${c.head}`, c.width, c.experts, c.vocab].join("/");
    const same = common.models.find((model) => model.shape === shape);
    if (same) {
      field("model").value = same.slug;
      await choose();
      return say(`This is the shape of ${same.name}, which is chosen above: the figures are exact, if it is converted and quantised by the standard recipes.`);
    }
    const slots = field("slots").value;
    const tokens = Number(field("context").value) * (slots === "shared" ? 1 : Number(slots));
    const values = c.latent || 2 * c.kvHeads * c.head;
    const kv = c.layers * values * bytesPerValue[field("type").value] * Math.ceil(tokens / 256) * 256;
    const attention = c.heads * c.head * c.hidden * 2 + 2 * c.kvHeads * c.head * c.hidden;
    const sparse = c.experts ? c.layers - c.denseLayers : 0;
    const forward = 3 * c.hidden * ((c.layers - sparse) * (c.experts ? c.dense : c.width) + sparse * c.width * (c.experts + c.shared));
    const parameters = c.layers * (c.latent ? 0 : attention) + forward + c.vocab * c.hidden * (c.tied ? 1 : 2);
    const bits = common.bits[field("quant").value];
    const size = bits ? `${gib(parameters * bits[0] / 8)} to ${gib(parameters * bits[1] / 8)} GiB, as 8 of 10 published files of ${field("quant").value} have per weight` : "not known for this quantisation";
    say(`KV cache for ${tokens.toLocaleString("en")} tokens in ${field("type").value}: ${gib(kv)} GiB, ${c.windows ? "an upper bound: layers with a window or a recurrent state take less" : "exact where every layer attends to everything"}.`,
      `Weights, an estimate: about ${(parameters / 1e9).toLocaleString("en", { maximumFractionDigits: 1 })} billion parameters${c.latent ? " without the attention's own" : ""}, ${size}.`,
      "Buffers are not computed here: 0.1 to 4 GiB on each GPU. The collection has the exact answer: from_hf_config makes a model of this file, memory_estimate tells the rest.");
  };
  document.getElementById("pasted").addEventListener("input", estimate);
  form.addEventListener("input", estimate);
}
