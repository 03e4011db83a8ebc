// The outcome as Markdown, for the terminal and for docs/SEGMENT.md.
'use strict'

const fs = require('fs')

const row = (...cells) => `| ${cells.join(' | ')} |`

const SHOWN = [
  ['entered', 'entered'],
  ['exited', 'exited'],
  ['entered_with_two_emails', 'entered with two emails'],
  ['entered_without_user_id', 'entered, no `user_id`'],
  ['trait_set', 'trait set']
]

function ofDestinations(destinations, cases, outcomes, nameOf) {
  const known = new Set(cases.map(({ name }) => name))
  for (const [name] of SHOWN) if (!known.has(name)) throw new Error(`no case ${name}`)
  const settings = cases.find(({ name }) => name === 'entered').settings
  const cell = (name, id) => (outcomes.get(name)[id] ?? []).map((effect) => short(effect)).join('<br>') || 'nothing'
  const rows = destinations.map((one) => {
    const { call, engage } = settings[one.id]
    return row(`\`${nameOf(one)}\``, engage ? 'engage' : call, ...SHOWN.map(([name]) => cell(name, one.id)))
  })
  const heads = ['destination', 'call', ...SHOWN.map(([, head]) => head)]
  return [row(...heads), row(...heads.map(() => '---')), ...rows].join('\n')
}

// As little as tells one effect from another.
function short(effect) {
  return effect
    .replace(/a@example\.com/g, 'a@…')
    .replace(/b@example\.com/g, 'b@…')
    .replace(/\+14155550101/g, '+1…')
    .replace(/ (to|from) (4f3c\S+|4711|XyZ123|coh_4711|aud_1)$/, '')
    .replace(/first_time_shopper/g, 'key')
    .replace(/lifetime_value/g, 'key')
}

function ofMistakes(catchers, destinations, nameOf) {
  const names = new Map(destinations.map((one) => [one.id, nameOf(one)]))
  const rows = catchers.map(({ says, by }) => {
    const all = by.map((id) => names.get(id) ?? id)
    const shown = all.length > 4 ? `${all.slice(0, 3).join(', ')} and ${all.length - 3} more` : all.join(', ')
    return row(says, shown)
  })
  return [row('mistake', 'who does something else than was decided'), row('---', '---'), ...rows].join('\n')
}

// Each table stands in the document between two comments with its name.
function keep(path, tables, write, fail) {
  let text = fs.readFileSync(path, 'utf8')
  for (const [name, table] of Object.entries(tables)) {
    const [begin, end] = [`<!-- judge: ${name} -->\n`, '\n<!-- /judge -->']
    const start = text.indexOf(begin)
    const stop = text.indexOf(end, start)
    if (start < 0 || stop < 0) return fail(`no place for the table of ${name} in ${path}`)
    const now = text.slice(start + begin.length, stop)
    if (now === table) continue
    if (!write) fail(`the table of ${name} in docs/SEGMENT.md is another, write it with --write`)
    text = text.slice(0, start + begin.length) + table + text.slice(stop)
  }
  if (write) fs.writeFileSync(path, text)
}

module.exports = { ofDestinations, ofMistakes, keep }
