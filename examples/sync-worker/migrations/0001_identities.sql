-- Which external IDs each profile has, kept by whatever resolves identities.
create table external_ids (
    space_id    text not null check (space_id <> ''),
    profile_id  text not null check (profile_id <> ''),
    collection  text not null default 'users' check (collection in ('users', 'accounts')),
    type        text not null check (type <> ''),
    id          text not null check (id <> ''),
    encoding    text not null default 'none' check (encoding <> ''),
    created_at  timestamptz check (created_at between '0001-01-01Z' and '9999-12-31Z'),
    -- When the ID came to this profile, where that is later than created_at: the time of a merge.
    attached_at timestamptz check (attached_at between '0001-01-01Z' and '9999-12-31Z'),
    primary key (space_id, profile_id, collection, type, id)
);

-- What each profile of a merge held just before it, the surviving one included. Written in the
-- transaction that moves the IDs. It answers for merges that don't say what their profiles held,
-- and for updates about a profile that has been merged away since.
create table merged_profiles (
    space_id        text not null,
    profile_id      text not null,
    into_profile_id text not null,
    merged_at       timestamptz not null check (merged_at between '0001-01-01Z' and '9999-12-31Z'),
    external_ids    jsonb not null check (jsonb_typeof(external_ids) = 'array'),
    primary key (space_id, profile_id, into_profile_id, merged_at)
);
