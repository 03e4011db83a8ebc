-- Counts the transactions that changed the catalog. Workers read it beside the notifications, so that one
-- which is lost on its way, at a proxy for example, is missed.
create table catalog_version (
    only_row boolean primary key default true check (only_row),
    version  bigint not null default 0,
    -- The last transaction that changed the catalog: each counts once.
    changed_by xid8 not null default '0'
);
insert into catalog_version default values;

create function count_catalog_change() returns trigger language plpgsql as $$
declare
    counted bigint;
begin
    update catalog_version set version = version + 1, changed_by = pg_current_xact_id()
    where changed_by <> pg_current_xact_id() returning version into counted;
    if found then
        perform pg_notify('idgroup', 'version ' || counted);
    end if;
    return null;
end $$;

-- At the end of the transaction, so that who changes different things does not wait for one another before.
create constraint trigger destinations_counted after insert or update or delete on destinations
    deferrable initially deferred for each row execute function count_catalog_change();
create constraint trigger computations_counted after insert or update or delete on computations
    deferrable initially deferred for each row execute function count_catalog_change();
create constraint trigger spaces_counted after insert or update or delete on spaces
    deferrable initially deferred for each row execute function count_catalog_change();
create trigger destinations_truncation_counted after truncate on destinations
    for each statement execute function count_catalog_change();
create trigger spaces_truncation_counted after truncate on spaces
    for each statement execute function count_catalog_change();
