// What each destination should do, from the decision alone: the events, the update, and what the
// destination can know a person by. No call is looked at.
'use strict'

const { listed, words } = require('./destinations')

const combinations = (ids) =>
  [...new Set(ids.map(({ type }) => type))].reduce(
    (ways, type) => ways.flatMap((way) => ids.filter((id) => id.type === type).map((id) => [...way, id])),
    [[]]
  )

const value = (ids, type) => ids.find((id) => id.type === type)?.id

function person(ids, update) {
  const userId = value(ids, 'user_id') ?? value(update.external_ids, 'user_id')
  const anonymousId = value(ids, 'anonymous_id') ?? value(update.external_ids, 'anonymous_id') ?? update.profile_id
  return { email: value(ids, 'email'), phone: value(ids, 'phone'), userId, carrier: userId ?? anonymousId }
}

// The effects on one destination, in no order.
function expected(destination, { update, supplied, settings }, events) {
  const isTrait = ['trait', 'computed_trait', 'sql_trait'].includes(update.computation.class)
  const own = settings[destination.id]
  const mine = events.filter(({ destinations }) => destinations.includes(destination.id))
  if (destination.kind === 'sender') {
    // Senders know no traits.
    const addresses = isTrait ? [] : mine.map(({ id_group }) => value(id_group.external_ids, destination.sendsTo))
    return addresses.map((address) => `sends to ${address}`)
  }
  if (destination.kind === 'list' && isTrait) return []
  return mine.flatMap(({ id_group }) =>
    combinations(id_group.external_ids).flatMap((ids) => effect(destination, person(ids, update), update, supplied, own, isTrait))
  )
}

function effect(destination, who, update, supplied, own, isTrait) {
  const isIn = update.membership === 'in'
  const { kind } = destination
  if (destination.needs && !who[destination.needs]) {
    return destination.lacking === 'does nothing' ? [] : [destination.lacking]
  }
  if (kind === 'copy') return ['takes a copy']
  if (kind === 'contact') return [`writes a contact ${who.email}`]
  const names = (reads) => reads.map((name) => who[name]).filter(Boolean)
  if (kind === 'store') {
    const { key } = update.computation
    const outcome = isTrait ? (isIn ? supplied.value : null) : isIn
    const lines = [`sets ${key}=${JSON.stringify(outcome)} for`]
    if (own.call === 'track') lines.push(`sets ${isIn ? 'Audience Entered' : 'Audience Exited'}=true for`)
    return lines.map((line) => words(line, names(destination.reads)))
  }
  const list = destination.list === 'aud_1' && update.computation.class === 'journey_step' ? update.computation.key : destination.list
  const read = (isIn ? undefined : destination.removes) ?? destination.reads
  const people = names(read)
  const verb = isIn ? 'add' : 'remove'
  return destination.oneByOne ? people.map((one) => listed(verb, list, one)) : [listed(verb, list, people)]
}

module.exports = { expected }
