"""The tables of one-operator cases, a module a family. Importing one fills `case_kit.CASES`."""
