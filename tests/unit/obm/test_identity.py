"""Which differences are seen before and after the log-in."""

from tiphys.obm.identity import Expected, bmc_name, differences, of_root, of_system, system_differences
from tiphys.obm.record import Identity

DELL = {"Vendor": "Dell", "Oem": {"Dell": {"ServiceTag": "ABC1234"}}}
PLAIN = {"UUID": "6AF0", "Oem": {}}


def test_what_a_service_root_tells() -> None:
    assert of_root(DELL) == Identity("Dell", "", "ABC1234")
    assert of_root({"Oem": {"Hpe": {}}, "UUID": "x"}) == Identity("HPE", "x", "")
    assert of_root({"Vendor": None, "Oem": None}) == Identity()


def test_the_inventory_is_compared_without_regard_to_case() -> None:
    assert differences(Expected("abc1234 "), None, of_root(DELL)) == []
    (difference,) = differences(Expected("OTHER77"), None, of_root(DELL))
    assert "'ABC1234'" in difference
    assert "'OTHER77'" in difference


def test_what_is_not_told_is_not_compared() -> None:
    assert differences(Expected("ABC1234"), None, of_root(PLAIN)) == []
    assert differences(Expected(), Identity(), of_root(PLAIN)) == []


def test_the_record_is_compared() -> None:
    assert differences(Expected(), Identity("", "6af0"), of_root(PLAIN)) == []
    assert differences(Expected(), Identity("", "other"), of_root(PLAIN)) != []
    assert differences(Expected(), Identity("HPE"), of_root(DELL)) != []
    assert differences(Expected(), Identity("Dell", "", "OTHER77"), of_root(DELL)) != []


def test_the_inventory_wins_over_the_record() -> None:
    assert differences(Expected("ABC1234"), Identity("Dell", "", "OTHER77"), of_root(DELL)) == []


def test_a_system_goes_by_several_serial_numbers() -> None:
    serials = of_system({"Manufacturer": "Dell Inc.", "SerialNumber": "CNBOARD", "SKU": "ABC1234"})
    assert system_differences(Expected("abc1234"), serials) == []
    assert system_differences(Expected("cnboard"), serials) == []
    assert system_differences(Expected("OTHER77"), serials) != []
    assert system_differences(Expected(), serials) == []
    assert system_differences(Expected("OTHER77"), of_system({})) == []


def test_a_bmc_goes_by_what_it_shows_to_strangers() -> None:
    shown = Identity("Dell", "6AF0", "ABC1234", "aa")
    assert bmc_name(shown, "there") == "bmc/uuid/6af0"
    assert bmc_name(Identity("Dell", "", "ABC1234", "aa"), "there") == "bmc/dell/abc1234"
    assert bmc_name(Identity("", "", "", "aa"), "there") == "bmc/sha256/aa"
    assert bmc_name(Identity(), "10.0.0.7:443") == "bmc/10.0.0.7:443"


def test_what_many_boards_show_is_no_identity() -> None:
    for uuid in ("00000000-0000-0000-0000-000000000000", "92384634-2938-2342-8820-489239905423"):
        assert bmc_name(of_root({"UUID": f" {uuid.upper()} "}), "there") == "bmc/there"
        for known, shown in (("1-2-3", uuid), (uuid, "1-2-3")):
            assert differences(Expected(), Identity("", known), Identity("", shown)) == []
            assert differences(Expected(uuid=known), None, Identity("", shown)) != []
    assert of_root({"Oem": {"Dell": {"ServiceTag": "0000000"}}}) == Identity("Dell")
    assert of_system({"SerialNumber": "To be filled by O.E.M."}) == frozenset()
    assert of_system({"Manufacturer": "HPE", "SerialNumber": "MXQ1", "SKU": "P38411-B21"}) == {"mxq1"}
