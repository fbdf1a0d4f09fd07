def test_opens(store):
    assert store.revision() == "0001"
