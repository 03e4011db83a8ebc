-- Which of a profile's external IDs a destination is sent, and whether their owner agrees to it. The triggers
-- on these tables tell workers of the new columns too.
alter table external_ids
    -- Whether the person agrees to be messaged with this ID; null where that is not known.
    add column subscribed boolean;

alter table destinations
    -- Of which type which ID: {"email": "latest", "phone": "first", "user_id": "all"}. A plain destination is
    -- sent these types alone; one with dedupes_on has strategies for some of those types, and never "all".
    add column id_strategies jsonb,
    -- `required` for IDs that are subscribed, `not_refused` for all that are not unsubscribed; null for all.
    add column consent text,
    add constraint id_strategies_are_an_object check (
        jsonb_typeof(id_strategies) = 'object' and id_strategies <> '{}' and not id_strategies ? ''
    ),
    add constraint id_strategies_are_known check (
        not jsonb_path_exists(id_strategies, 'strict $.* ? (
            @.type() != "string" || !(@ == "latest" || @ == "first" || @ == "all")
        )')
    ),
    add constraint id_strategies_are_of_deduped_types check (
        dedupes_on is null or id_strategies - dedupes_on = '{}'
    ),
    add constraint id_strategies_of_deduped_types_choose_one check (
        dedupes_on is null or not jsonb_path_exists(id_strategies, 'strict $.* ? (@ == "all")')
    ),
    add constraint consent_is_known check (consent in ('required', 'not_refused'));
