-- What was decided before about each profile in each computation. The library makes the keys and the bytes.
-- Nothing refers to this table and every statement has the key, so that it may be partitioned by its hash.
create table memories (
    key     bytea primary key check (octet_length(key) = 16),
    -- Empty while nothing is remembered: the row is there to be locked.
    memory  bytea not null default '',
    -- When it changed last: memories expire by it.
    kept_at timestamptz not null default now()
);

-- Memories of another epoch are not found. It is a part of their keys.
alter table rollout add column epoch bigint not null default 0 check (epoch >= 0);

-- Spaces that the flag admits no more miss exits, and their memories are wrong from then on.
create function raise_epoch() returns trigger language plpgsql as $$
begin
    if new.share < old.share or new.flag <> old.flag then
        new.epoch := greatest(new.epoch, old.epoch + 1);
    elsif new.epoch < old.epoch then
        raise exception 'the epoch never goes down: the memories of an earlier one have missed updates';
    end if;
    return new;
end $$;

create trigger rollout_lowered before update on rollout
    for each row execute function raise_epoch();
