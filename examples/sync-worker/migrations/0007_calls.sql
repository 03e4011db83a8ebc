-- How each destination is called, where calls are written in place of events.
alter table destinations
    -- {"call": "track", "external_audience_id": "4711", "audience_settings": {}} for a list,
    -- {"call": "track", "engage": true} for a sender, {"call": "identify"} for a store of profiles.
    add column call jsonb check (jsonb_typeof(call) = 'object');

-- Destinations whose calls don't go where all others do, or not as fast, by their ids. What is null is
-- as for all others.
create table deliveries (
    destination_id   text primary key check (destination_id <> ''),
    endpoint         text check (endpoint ~ '^https?://'),
    -- Where each worker finds the write key, which is not here: a file, or a variable of the environment.
    write_key_file   text check (write_key_file <> ''),
    write_key_env    text check (write_key_env <> ''),
    -- Of each worker.
    calls_per_second integer check (calls_per_second > 0),
    check (write_key_file is null or write_key_env is null)
);

create trigger deliveries_changed after insert or update or delete on deliveries
    for each statement execute function notify_everything();
create trigger deliveries_truncated after truncate on deliveries
    for each statement execute function notify_everything();
create constraint trigger deliveries_counted after insert or update or delete on deliveries
    deferrable initially deferred for each row execute function count_catalog_change();
create trigger deliveries_truncation_counted after truncate on deliveries
    for each statement execute function count_catalog_change();

-- Deliveries that stand still: a destination's id, or '' for all that have no row in `deliveries`.
create table parked (
    delivery   text primary key,
    since      timestamptz not null default now(),
    reason     text not null,
    tries      integer not null default 0,
    next_try   timestamptz not null default now(),
    -- The worker that tries, and until when nobody else does.
    held_by    text,
    held_until timestamptz not null default '-infinity'
);

-- Their calls, in the order of `number`: those of one profile were put here by one worker, in theirs.
create table parked_calls (
    delivery   text not null,
    number     bigint generated always as identity,
    message_id text not null,
    key        bytea not null,
    headers    jsonb not null,
    body       bytea not null,
    primary key (delivery, number),
    unique (delivery, message_id)
);

-- Calls that were posted, or are about to be, where workers are told to keep that.
create table claims (
    delivery   text not null,
    message_id text not null,
    is_done    boolean not null,
    at         timestamptz not null default now(),
    primary key (delivery, message_id)
);
create index claims_at on claims using brin (at);
