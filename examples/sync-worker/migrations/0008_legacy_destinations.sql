-- What the system that is being replaced has a computation's destinations set up as, where that is not what
-- `destinations` says. Comparisons let the legacy flow decide by them, and nothing is sent by them.
create table legacy_destinations (
    computation_id text not null references computations (id) on delete cascade,
    id             text not null check (id <> ''),
    name           text,
    dedupes_on     text[] check (cardinality(dedupes_on) > 0 and array_position(dedupes_on, '') is null
                                 and array_position(dedupes_on, null) is null),
    primary key (computation_id, id)
);

create trigger legacy_destinations_changed after insert or update or delete on legacy_destinations
    for each row execute function notify_computation();
create trigger legacy_destinations_truncated after truncate on legacy_destinations
    for each statement execute function notify_everything();
create constraint trigger legacy_destinations_counted after insert or update or delete on legacy_destinations
    deferrable initially deferred for each row execute function count_catalog_change();
create trigger legacy_destinations_truncation_counted after truncate on legacy_destinations
    for each statement execute function count_catalog_change();
