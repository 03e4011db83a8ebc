-- How far the dedupe flow has been rolled out: always exactly one row.
create table rollout (
    only_row       boolean primary key default true check (only_row),
    flag           text not null default 'dedupe' check (flag <> ''),
    -- Basis points of all spaces: 0 shuts the dedupe flow off, 10000 is everybody.
    share          integer not null default 0 check (share between 0 and 10000),
    tiers          text[] not null default '{}',
    spaces         text[] not null default '{}',
    blocked_spaces text[] not null default '{}',
    compare        boolean not null default false,
    check (array_position(tiers || spaces || blocked_spaces, '') is null),
    check (array_position(tiers || spaces || blocked_spaces, null) is null)
);
insert into rollout default values;

create function notify_rollout() returns trigger language plpgsql as $$
begin
    if tg_op in ('DELETE', 'TRUNCATE') then
        raise exception 'the rollout has one row, which is updated and not deleted';
    end if;
    perform pg_notify('idgroup', 'rollout');
    return null;
end $$;

create trigger rollout_changed after insert or update or delete on rollout
    for each row execute function notify_rollout();
create trigger rollout_truncated after truncate on rollout
    for each statement execute function notify_rollout();
