// What the server is asked. The token, where one is needed, is kept for this tab alone.

const KEY = "mnemolog.token";
let asked = null;

export class Problem extends Error {
  constructor(status, told) {
    super(told.detail || told.title || `the server answered with status ${status}`);
    this.status = status;
    this.type = told.type || "";
  }
}

export const keepToken = (token) => sessionStorage.setItem(KEY, token);
export const onTokenNeeded = (handler) => { asked = handler; };

function headers(more) {
  const token = sessionStorage.getItem(KEY);
  return { Accept: "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}), ...more };
}

async function send(path, options, again = true) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: headers(options.headers), cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server does not answer. Is `mnemolog serve` still running?" });
  }
  if (answer.status === 401 && asked && again) {
    await asked();
    return send(path, options, false);
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

function query(given) {
  const kept = Object.entries(given).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
}

const part = encodeURIComponent;

export const get = (path, given = {}, signal = undefined) => send(path + query(given), { signal });

const post = (path, body, signal = undefined) =>
  send(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });

// The page calls a cursor `after`, as the memory itself does.
const listed = ({ after, ...given }) => ({ ...given, ...(after ? { cursor: after } : {}) });

// One space, at the time asked about (null for now), for as long as a view is looked at.
export function memoryOf(space, at, signal) {
  const at_ = at ? { as_of: at } : {};
  const root = `/v1/spaces/${part(space)}`;
  const own = `/page/data/${part(space)}`;
  return {
    facts: (given) => get(`${root}/facts`, { ...listed(given), ...at_ }, signal),
    scenes: (given) => get(`${root}/scenes`, { ...listed(given), ...at_ }, signal),
    entities: (given) => get(`${root}/entities`, listed(given), signal),
    scene: (name, given) => get(`${root}/scenes/${part(name)}`, { ...listed(given), ...at_ }, signal),
    sessions: (given) => get(`${root}/sessions`, { ...listed(given), ...at_ }, signal),
    timeline: (given) => get(`${root}/timeline`, { ...listed(given), ...at_ }, signal),
    why: (node) => get(`${root}/nodes/${part(node)}/why`, at ? { now: at } : {}, signal),
    position: () => get(`${root}/position`, {}, signal),
    status: () => get(`${root}/status`, {}, signal),
    work: () => get(`${root}/work`, {}, signal),
    recall: (body) => post(`${root}/recall`, { ...body, ...at_ }, signal),
    whyNot: (body) => post(`${root}/why-not`, { ...body, ...at_ }, signal),
    activity: () => get(`${own}/activity`, {}, signal),
    curve: (node) => get(`${own}/curves/${part(node)}`, at_, signal),
    graph: (name) => get(`${own}/graph`, { name, ...at_ }, signal),
    remember: (body) => post(`${root}/remember`, body),
    ask: (node, verb, body) => post(`${root}/facts/${part(node)}/${verb}`, body),
    forget: (body) => post(`${root}/forget`, body),
  };
}
