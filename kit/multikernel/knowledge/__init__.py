"""The system knowledge base: typed facts with sources, checked rules, policies, why and why not.

    facts    predicates, facts, sources, snapshots
    ir       what rule text means, as plain data
    rules    rule text -> ir, by `ast`; nothing of it is ever executed
    check    what a program must satisfy before a backend sees it
    backend  the Protocol a backend implements
    optimise joint placement: the model, and what a backend that can optimise has besides
    search   the same without such a backend
    skb      `Skb`: owns the facts, asks the backend, explains

May not know: boards, plugins, any backend.
"""
