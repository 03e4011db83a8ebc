-- Which destinations each computation is connected to.
create table computations (
    id       text primary key check (id <> ''),
    space_id text
);

create table destinations (
    computation_id text not null references computations (id) on delete cascade,
    id             text not null check (id <> ''),
    name           text,
    -- The external ID types that a messaging destination sends to; null for a plain one.
    dedupes_on     text[] check (cardinality(dedupes_on) > 0 and array_position(dedupes_on, '') is null
                                 and array_position(dedupes_on, null) is null),
    primary key (computation_id, id)
);

-- The tier of each space's customer, for the gate of the rollout.
create table spaces (
    id   text primary key check (id <> ''),
    tier text
);

-- Workers listen to the channel `idgroup`, and forget what is named there.
create function notify_computation() returns trigger language plpgsql as $$
declare
    changed text;
begin
    foreach changed in array case tg_op
        when 'INSERT' then array[new.computation_id]
        when 'DELETE' then array[old.computation_id]
        else array[old.computation_id, new.computation_id]
    end loop
        -- A payload has less than 8,000 bytes. Without one, everything is forgotten.
        perform pg_notify('idgroup', case when octet_length(changed) < 7000 then 'computation ' || changed else '' end);
    end loop;
    return null;
end $$;

create function notify_id() returns trigger language plpgsql as $$
declare
    changed text := case tg_op when 'DELETE' then old.id else new.id end;
begin
    perform pg_notify('idgroup', case when octet_length(changed) < 7000 and tg_op <> 'UPDATE'
                                      then tg_argv[0] || ' ' || changed else '' end);
    return null;
end $$;

create function notify_everything() returns trigger language plpgsql as $$
begin
    perform pg_notify('idgroup', '');
    return null;
end $$;

create trigger destinations_changed after insert or update or delete on destinations
    for each row execute function notify_computation();
create trigger destinations_truncated after truncate on destinations
    for each statement execute function notify_everything();
create trigger computations_changed after insert or update or delete on computations
    for each row execute function notify_id('computation');
create trigger spaces_changed after insert or update or delete on spaces
    for each row execute function notify_everything();
create trigger spaces_truncated after truncate on spaces
    for each statement execute function notify_everything();
