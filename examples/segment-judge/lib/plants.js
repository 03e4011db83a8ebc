// Mistakes that events are commonly made with, planted into the calls one by one. Each must be
// caught, or the judge would have let it pass.
'use strict'

const key = (call) => call.context.personas.computation_key
const withFields = (call, change) => {
  const name = call.traits ? 'traits' : 'properties'
  return { ...call, [name]: change({ ...call[name] }) }
}
const withPersonas = (call, change) => ({ ...call, context: { ...call.context, personas: change({ ...call.context.personas }) } })
const withContextTraits = (call, traits) => ({ ...call, context: { ...call.context, traits } })
const membership = (change) => (call) => withFields(call, (all) => ({ ...all, [key(call)]: change(all[key(call)]) }))
const drop = (object, ...names) => Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
const each = (change) => (calls) => calls.map((call) => change(structuredClone(call)))
const rekeyed = (name) => (call) => {
  const old = key(call)
  const renamed = withFields(call, (all) => {
    const next = drop(all, old)
    Object.defineProperty(next, name, { value: all[old], enumerable: true, configurable: true, writable: true })
    return 'audience_key' in next ? { ...next, audience_key: name } : next
  })
  return withPersonas(renamed, (personas) => ({ ...personas, computation_key: name }))
}
const senders = (change) =>
  each((call) => (call.external_ids ? { ...call, external_ids: call.external_ids.map(change) } : call))
const address = (name, change) =>
  each((call) => {
    const changed = (traits) => (name in traits ? { ...traits, [name]: change(traits[name]) } : traits)
    return withContextTraits(withFields(call, changed), changed(call.context.traits))
  })

module.exports = [
  { says: 'the text `"true"` for true', plant: each(membership((is) => (is === true ? 'true' : is))) },
  { says: '1 for true', plant: each(membership((is) => (is === true ? 1 : is))) },
  { says: 'the text `"false"` for false', plant: each(membership((is) => (is === false ? 'false' : is))) },
  { says: 'no membership', plant: each((call) => withFields(call, (all) => drop(all, key(call)))) },
  {
    says: "the computation's id for its key",
    plant: each((call) => withPersonas(call, (personas) => ({ ...personas, computation_key: personas.computation_id })))
  },
  { says: '`Audience Entered` with false', plant: each((call) => (call.event === 'Audience Exited' ? { ...call, event: 'Audience Entered' } : call)) },
  { says: 'a track with traits', plant: each((call) => (call.type === 'track' ? { ...call, traits: call.context.traits } : call)) },
  { says: 'an identify with properties', plant: each((call) => (call.type === 'identify' ? { ...call, properties: {} } : call)) },
  {
    says: 'addresses only in `context.externalIds`',
    plant: each((call) => withContextTraits(withFields(call, (all) => drop(all, 'email', 'phone')), {}))
  },
  {
    says: 'addresses of a track only in `context.traits`',
    plant: each((call) => (call.properties ? withFields(call, (all) => drop(all, 'email', 'phone')) : call))
  },
  { says: 'addresses of a track only in `properties`', plant: each((call) => (call.properties ? withContextTraits(call, {}) : call)) },
  { says: 'emails as a list', plant: address('email', (email) => [email, 'other@example.com']) },
  { says: 'a phone number without its country', plant: address('phone', (phone) => phone.replace('+1', '')) },
  { says: 'an email with capitals and a space', plant: address('email', (email) => `${email.toUpperCase()} `) },
  { says: 'neither `userId` nor `anonymousId`', plant: each((call) => drop(call, 'userId', 'anonymousId')) },
  { says: 'an empty `userId`', plant: each((call) => ({ ...call, userId: '' })) },
  { says: 'a number for `userId`', plant: each((call) => ({ ...call, userId: 123 })) },
  {
    says: 'an email for `userId`',
    plant: each((call) => ({ ...call, userId: call.context.traits.email ?? call.userId }))
  },
  { says: '`Track` for `track`', plant: each((call) => (call.type === 'track' ? { ...call, type: 'Track' } : call)) },
  { says: '`audience_entered` for `Audience Entered`', plant: each((call) => (call.event ? { ...call, event: call.event.toLowerCase().replace(' ', '_') } : call)) },
  { says: 'no `external_audience_id`', plant: each((call) => withPersonas(call, (personas) => drop(personas, 'external_audience_id'))) },
  { says: 'no `audience_settings`', plant: each((call) => withPersonas(call, (personas) => drop(personas, 'audience_settings'))) },
  {
    says: 'a trait for a list',
    plant: (calls) =>
      calls.flatMap((call) => {
        if (call.event !== 'Trait Computed') return [call]
        const lists = ['Iterable Lists', 'Iterable Lists (Actions)', 'LaunchDarkly Audiences']
        const integrations = { All: false, ...Object.fromEntries(lists.map((name) => [name, true])) }
        const routed = withPersonas(call, (personas) => ({ ...personas, external_audience_id: '4711' }))
        return [call, { ...routed, integrations, messageId: call.messageId.split('').reverse().join('') }]
      })
  },
  { says: 'a computation whose key is `email`', plant: each(rekeyed('email')) },
  { says: 'a computation whose key is `__proto__`', plant: each(rekeyed('__proto__')) },
  { says: 'a class in capitals', plant: each((call) => withPersonas(call, (personas) => ({ ...personas, computation_class: personas.computation_class.toUpperCase() }))) },
  { says: 'no class', plant: each((call) => withPersonas(call, (personas) => drop(personas, 'computation_class'))) },
  { says: 'addresses for senders without `isSubscribed`', plant: senders((id) => drop(id, 'isSubscribed')) },
  { says: '`isSubscribed` of null', plant: senders((id) => ({ ...id, isSubscribed: null })) },
  { says: '`isSubscribed` of `"yes"`', plant: senders((id) => ({ ...id, isSubscribed: 'yes' })) },
  { says: 'types for senders in capitals', plant: senders((id) => ({ ...id, type: id.type.toUpperCase() })) },
  { says: 'no addresses for senders', plant: each((call) => drop(call, 'external_ids')) },
  {
    says: 'a call to a sender for each of its addresses',
    plant: (calls) =>
      calls.flatMap((call) => {
        if (!call.external_ids) return [call]
        const other = { ...call.external_ids[0], id: call.external_ids[0].type === 'email' ? 'other@example.com' : '+14155550199' }
        return [call, { ...call, external_ids: [other], messageId: call.messageId.split('').reverse().join('') }]
      })
  },
  {
    says: 'integrations in another case',
    plant: each((call) => ({ ...call, integrations: Object.fromEntries(Object.entries(call.integrations).map(([name, on]) => [name === 'All' ? name : name.toUpperCase(), on])) }))
  },
  { says: 'no integrations', plant: each((call) => drop(call, 'integrations')) },
  { says: 'a `messageId` of 101 characters', plant: each((call) => ({ ...call, messageId: call.messageId.repeat(4).slice(0, 101) })) },
  { says: 'a `messageId` with a prefix', plant: each((call) => ({ ...call, messageId: `idg_${call.messageId}` })) },
  { says: 'one `messageId` for all calls', plant: each((call) => ({ ...call, messageId: '0'.repeat(32) })) },
  {
    says: 'a new `messageId` on redelivery',
    redelivery: (calls) => calls.map((call) => ({ ...call, messageId: call.messageId.split('').reverse().join('') }))
  },
  { says: '40 KB', plant: each((call) => withPersonas(call, (personas) => ({ ...personas, journey_metadata: 'x'.repeat(40_000) }))) },
  { says: 'no `timestamp`', plant: each((call) => drop(call, 'timestamp')) },
  { says: 'the call of a neighbour: one list told of another', plant: each((call) => withPersonas(call, (personas) => ('external_audience_id' in personas ? { ...personas, external_audience_id: '4712' } : personas))) },
  { says: 'a call lost', plant: (calls) => calls.slice(1) },
  { says: 'a call too many', plant: (calls) => [...calls, { ...calls[0], messageId: calls[0].messageId.split('').reverse().join('') }] }
]
