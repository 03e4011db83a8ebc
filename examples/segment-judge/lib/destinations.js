// The destinations that are judged: how each is set up, how its service answers, and what its
// requests come to. Everything that is answered here is made up; nothing leaves the machine.
'use strict'

const { createHash } = require('crypto')

const hash = (text) => createHash('sha256').update(text).digest('hex')

// Hashes back to what was hashed, for everybody who appears in the cases.
const known = new Map()
for (const text of ['a@example.com', 'b@example.com', '+14155550101', '14155550101', 'true']) {
  known.set(hash(text), text.replace(/^1/, '+1'))
}
const plain = (text) => known.get(text) ?? text

const words = (...parts) => parts.flat().filter((part) => part !== undefined && part !== null && part !== '').join(' ')
const parsed = (text) => (typeof text === 'string' ? JSON.parse(text) : text)
const path = (request) => new URL(request.url).pathname

// One effect for each thing that is set, and one for nothing at all.
function set(fields, ...person) {
  const names = Object.keys(fields)
  if (names.length === 0) return [words('sets nothing for', ...person)]
  return names.map((name) => words(`sets ${name}=${JSON.stringify(fields[name])} for`, ...person))
}

function without(object, ...names) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}

const listed = (verb, list, ...person) => words(verb === 'add' ? 'adds' : 'removes', ...person, verb === 'add' ? 'to' : 'from', list ?? 'no list')

// What Mixpanel's own code adds to an event, and what a call says about the person.
const MIXPANELS_OWN =
  /^(\$|mp_|segment_|(id|email|phone|token|time|distinct_id|event_original_name|audience_key|trait_key)$)/

const engage = {
  profileApiEnvironment: 'production',
  profileApiAccessToken: 'token',
  spaceId: 'spa_1',
  sourceId: 'src_1'
}

// `kind`: what the decision means for it. `reads`: the identifiers that it names a person by, with
// `carrier` for whatever the call is carried by; `needs`: those it can't do without, and `lacking`:
// what it does then. `removes`: where it differs from `reads` for an exit.
module.exports = [
  {
    id: 'dst_engage_email',
    slug: 'engage-messaging-sendgrid',
    actions: { sendEmail: {} },
    settings: { ...engage, sendGridApiKey: 'key' },
    mapping: {
      send: true, fromEmail: 'shop@example.com', fromName: 'Shop', replyToEmail: 'shop@example.com',
      replyToName: 'Shop', bcc: '[]', subject: 'Welcome', bodyType: 'html', bodyHtml: '<p>Welcome</p>'
    },
    kind: 'sender',
    sendsTo: 'email',
    did: ({ body }) => body.personalizations.flatMap(({ to }) => to.map(({ email }) => `sends to ${email}`))
  },
  {
    id: 'dst_engage_sms',
    slug: 'engage-messaging-twilio',
    actions: { sendSms: {} },
    settings: { ...engage, twilioAccountSID: `AC${'1'.repeat(32)}`, twilioApiKeySID: `SK${'1'.repeat(32)}`, twilioApiKeySecret: 'key' },
    mapping: { send: true, from: 'MG1', body: 'Welcome' },
    kind: 'sender',
    sendsTo: 'phone',
    did: ({ body }) => [`sends to ${body.To}`]
  },
  {
    id: 'dst_braze',
    slug: 'braze',
    actions: { updateUserProfile: {}, trackEvent: {} },
    settings: { api_key: 'key', endpoint: 'https://rest.iad-01.braze.com' },
    kind: 'store',
    reads: ['userId', 'email'],
    did: ({ body }) => [
      ...(body.attributes ?? []).flatMap((of) => set(without(of, 'external_id', 'email', 'phone', 'braze_id', 'user_alias', '_update_existing_only'), of.external_id, of.email)),
      ...(body.events ?? []).flatMap((of) => set({ [of.name]: true, ...without(of.properties ?? {}, 'audience_key', 'trait_key', 'email', 'phone') }, of.external_id, of.email))
    ]
  },
  {
    id: 'dst_iterable',
    slug: 'iterable',
    actions: { updateUser: {}, trackEvent: {} },
    settings: { apiKey: 'key' },
    kind: 'store',
    reads: ['userId', 'email'],
    did: ({ body }) => {
      const fields = without(body.dataFields ?? {}, 'email', 'phone', 'phoneNumber', 'audience_key', 'trait_key')
      return set(body.eventName ? { [body.eventName]: true, ...fields } : fields, body.userId, body.email)
    }
  },
  {
    id: 'dst_customerio',
    slug: 'customerio',
    actions: { createUpdatePerson: {}, trackEvent: {} },
    settings: { siteId: 'site', apiKey: 'key', accountRegion: 'US 🇺🇸' },
    kind: 'store',
    // Of an identify without a userId it takes the email for one; of a track the anonymousId.
    reads: ['userId', 'email'],
    did: ({ body }) => {
      const { id, email, anonymous_id } = body.identifiers ?? {}
      const fields = without(body.attributes ?? {}, 'email', 'phone', 'audience_key', 'trait_key', 'anonymous_id')
      return set(body.name ? { [body.name]: true, ...fields } : fields, id ?? anonymous_id, body.attributes?.email ?? email)
    }
  },
  {
    id: 'dst_hubspot',
    slug: 'hubspot',
    actions: { upsertContact: {} },
    settings: { portalId: '1' },
    kind: 'contact',
    reads: ['email'],
    needs: 'email',
    lacking: 'refuses the call',
    did: ({ body }) => [`writes a contact ${body.properties.email}`]
  },
  {
    id: 'dst_mixpanel',
    slug: 'mixpanel',
    actions: { identifyUser: {}, trackEvent: {} },
    settings: { projectToken: 'token', apiSecret: 'secret' },
    kind: 'store',
    reads: ['carrier'],
    did: (request) => {
      if (path(request) === '/engage') {
        const { $distinct_id, $set } = parsed(request.body.data)
        return set(without($set, '$email', '$phone', 'email', 'phone'), $distinct_id)
      }
      const events = [].concat(parsed(request.body.data ?? request.body))
      // The event that merges an anonymous person into a known one says nothing about a membership.
      return events.filter(({ event }) => event !== '$identify').flatMap(({ event, properties }) => {
        const own = Object.entries(properties).filter(([name]) => !MIXPANELS_OWN.test(name))
        return set({ [event]: true, ...Object.fromEntries(own) }, properties.distinct_id)
      })
    }
  },
  {
    id: 'dst_amplitude',
    slug: 'amplitude',
    actions: { identifyUser: {}, logEventV2: {} },
    settings: { apiKey: 'key', secretKey: 'secret', endpoint: 'north_america' },
    kind: 'store',
    reads: ['carrier'],
    did: ({ body }) => {
      if (body.identification) {
        const { user_id, device_id, user_properties } = parsed(body.identification)
        return set(without(user_properties, 'email', 'phone'), user_id ?? device_id)
      }
      return body.events.flatMap(({ event_type, event_properties, user_id, device_id }) =>
        set({ [event_type]: true, ...without(event_properties, 'audience_key', 'trait_key', 'email', 'phone') }, user_id ?? device_id))
    }
  },
  {
    id: 'dst_webhook',
    slug: 'webhook',
    actions: { send: { subscribe: 'type = "track" or type = "identify"' } },
    settings: {},
    mapping: { url: 'https://example.com/hook' },
    kind: 'copy',
    did: ({ body }) => [body.messageId && body.context ? 'takes a copy' : 'takes something']
  },
  {
    id: 'dst_klaviyo',
    slug: 'klaviyo',
    actions: { addProfileToList: {}, removeProfileFromList: {} },
    settings: { api_key: 'key' },
    kind: 'list',
    list: 'XyZ123',
    reads: ['email', 'phone'],
    answer: (request) => {
      const filter = decodeURIComponent(new URL(request.url).search).match(/(?:"|\[)([^"\[\]]+)(?:"|\])/)?.[1]
      if (request.method === 'GET') return { body: { data: [{ id: filter?.replace(/^ /, '+') }] } }
      const { email, phone_number } = request.body?.data?.attributes ?? {}
      return { body: { data: { id: words(email, phone_number) } } }
    },
    // Each profile that it finds by one of the addresses is removed: they can be two.
    did: (request) => {
      const [, list] = path(request).match(/lists\/([^/]+)\/relationships/) ?? []
      if (!list) return []
      const people = request.body.data.map(({ id }) => id)
      return [listed(request.method === 'POST' ? 'add' : 'remove', list, people)]
    }
  },
  {
    id: 'dst_sendgrid_lists',
    slug: 'sendgrid-audiences',
    actions: { syncAudience: {} },
    settings: { sendGridApiKey: 'key' },
    kind: 'list',
    list: '4f3c1f3a-1111-4222-8333-444455556666',
    reads: ['email', 'phone'],
    removes: ['email'],
    needs: 'email',
    lacking: 'refuses the call',
    answer: (request) => {
      if (!path(request).endsWith('/search')) return { body: { job_id: '1' } }
      const found = [...request.body.query.matchAll(/'([^']+)'/g)].map(([, address]) => ({ id: address }))
      return { body: { result: found, contact_count: found.length } }
    },
    did: (request) => {
      const [, list] = path(request).match(/lists\/([^/]+)\/contacts/) ?? []
      if (list) return [listed('remove', list, new URL(request.url).searchParams.get('contact_ids').split(','))]
      if (request.method !== 'PUT' || request.body.list_ids.length === 0) return []
      return request.body.contacts.map(({ email, phone_number, external_id }) => listed('add', request.body.list_ids.join(), email, phone_number, external_id))
    }
  },
  {
    id: 'dst_iterable_lists',
    slug: 'iterable-lists',
    actions: { syncAudience: { subscribe: 'type = "track" or type = "identify"' } },
    settings: { apiKey: 'key' },
    kind: 'list',
    list: '4711',
    reads: ['email', 'userId'],
    did: (request) => iterableList(request)
  },
  {
    id: 'dst_iterable_audiences',
    slug: 'iterable-audiences',
    actions: { syncAudience: {} },
    settings: { apiKey: 'key', iterableProjectType: 'hybrid' },
    kind: 'list',
    list: '4711',
    reads: ['email', 'userId'],
    did: (request) => iterableList(request)
  },
  {
    id: 'dst_facebook',
    slug: 'facebook-custom-audiences',
    actions: { sync: {} },
    settings: { retlAdAccountId: '1' },
    kind: 'list',
    list: '4711',
    reads: ['email', 'phone', 'userId'],
    needs: 'userId',
    lacking: 'refuses the call',
    did: (request) => {
      const [, list] = path(request).match(/\/([^/]+)\/users$/)
      const { schema, data } = request.body.payload
      return data.map((row) => {
        const of = (name) => plain(row[schema.indexOf(name)])
        const phone = of('PHONE')
        return listed(request.method === 'DELETE' ? 'remove' : 'add', list, of('EMAIL'), phone, of('EXTERN_ID'))
      })
    }
  },
  {
    id: 'dst_google',
    slug: 'google-enhanced-conversions',
    actions: { userList: {} },
    settings: { customerId: '1234567890' },
    mapping: { ad_user_data_consent_state: 'GRANTED', ad_personalization_consent_state: 'GRANTED' },
    kind: 'list',
    list: '4711',
    reads: ['email', 'phone'],
    answer: (request) => ({ body: { resourceName: `jobs/${request.body?.job?.customerMatchUserListMetadata?.userList?.split('/').pop()}` } }),
    did: (request) => {
      const [, list] = request.url.match(/jobs\/([^/:]+):addOperations/) ?? []
      if (!list) return []
      return request.body.operations.flatMap((operation) =>
        Object.entries(operation).map(([verb, { userIdentifiers }]) =>
          listed(verb === 'create' ? 'add' : 'remove', list, userIdentifiers.map((of) => plain(of.hashedEmail ?? of.hashedPhoneNumber)))))
    }
  },
  {
    id: 'dst_tiktok',
    slug: 'tiktok-audiences',
    actions: { addToAudience: {}, removeFromAudience: {} },
    settings: { advertiser_ids: '1' },
    kind: 'list',
    list: '4711',
    reads: ['email', 'phone'],
    needs: 'email',
    lacking: 'refuses the call',
    did: ({ body }) => body.batch_data.map((row) => {
      const given = row.filter(({ id }) => id)
      const lists = [...new Set(given.flatMap(({ audience_ids }) => audience_ids))]
      return listed(body.action === 'add' ? 'add' : 'remove', lists.join(), given.map(({ id }) => plain(id)))
    })
  },
  {
    id: 'dst_snap',
    slug: 'snap-audiences',
    actions: { syncAudience: {} },
    settings: { ad_account_id: '1' },
    kind: 'list',
    list: '4711',
    reads: ['email', 'phone'],
    // One request for each kind of address.
    oneByOne: true,
    did: (request) => {
      const [, list] = path(request).match(/segments\/([^/]+)\/users/)
      return request.body.users.flatMap(({ data }) => data.flat().map((address) => listed(request.method === 'DELETE' ? 'remove' : 'add', list, plain(address))))
    }
  },
  {
    id: 'dst_bing',
    slug: 'ms-bing-ads-audiences',
    actions: { syncAudiences: { subscribe: 'type = "track"' } },
    settings: { customerAccountId: '1', customerId: '1' },
    kind: 'list',
    list: '4711',
    reads: ['email'],
    needs: 'email',
    lacking: 'refuses the call',
    did: ({ body: { CustomerListUserData: of } }) =>
      of.CustomerListItems.map((item) => listed(of.ActionType === 'Add' ? 'add' : 'remove', of.AudienceId, plain(item)))
  },
  {
    id: 'dst_amplitude_cohorts',
    slug: 'amplitude-cohorts',
    actions: { syncAudience: {} },
    settings: { api_key: 'key', secret_key: 'secret', app_id: '1', default_owner_email: 'owner@example.com', endpoint: 'north_america' },
    kind: 'list',
    list: 'coh_4711',
    reads: ['userId'],
    needs: 'userId',
    lacking: 'refuses the call',
    answer: ({ body }) => ({ body: { cohort_id: body.cohort_id, memberships_result: [{ skipped_ids: [], operation: body.memberships[0].operation }] } }),
    did: ({ body }) => body.memberships.map(({ ids, operation }) => listed(operation === 'ADD' ? 'add' : 'remove', body.cohort_id, ids))
  },
  {
    id: 'dst_launchdarkly',
    slug: 'launchdarkly-audiences',
    actions: { syncAudience: {} },
    settings: { apiKey: 'key', clientId: 'client' },
    kind: 'list',
    list: 'aud_1',
    reads: ['userId'],
    needs: 'userId',
    lacking: 'sends a row that names nobody',
    did: ({ body }) => body.batch.map(({ userId, cohortId, value }) =>
      userId ? listed(value ? 'add' : 'remove', cohortId, userId) : 'sends a row that names nobody')
  },
  {
    id: 'dst_braze_cohorts',
    slug: 'braze-cohorts',
    actions: { syncAudiences: {} },
    settings: { client_secret: 'secret', endpoint: 'https://rest.iad-01.braze.com' },
    mappingOf: (computation) => ({ personas_audience_key: computation.key }),
    kind: 'list',
    list: 'aud_1',
    reads: ['userId'],
    needs: 'userId',
    lacking: 'does nothing',
    did: ({ body }) => (body.cohort_changes ?? []).flatMap((change) =>
      (change.user_ids ?? []).map((user) => listed(change.should_remove ? 'remove' : 'add', body.cohort_id, user)))
  }
]

function iterableList(request) {
  const verb = path(request).endsWith('/subscribe') ? 'add' : 'remove'
  return request.body.subscribers.map(({ email, userId }) => listed(verb, request.body.listId, email, userId))
}
module.exports.listed = listed
module.exports.words = words
