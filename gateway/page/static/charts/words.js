// How wide words are in a picture, and as many of them as there is room for.

const context = document.createElement("canvas").getContext("2d");

function measured(text, weight) {
  context.font = `${weight} 13px ${getComputedStyle(document.body).fontFamily}`;
  return context.measureText(text).width;
}

export const widthOf = (text, weight = 650) => measured(text, weight);

export function fitting(text, room, weight = 650) {
  if (measured(text, weight) <= room) return text;
  let most = text.length - 1;
  while (most > 1 && measured(`${text.slice(0, most)}…`, weight) > room) most -= 1;
  return `${text.slice(0, most)}…`;
}
