"""Print name, version and license of each module in the environment that runs this, one a line."""

from importlib.metadata import distributions

for module in sorted(distributions(), key=lambda found: found.metadata["Name"].lower()):
    about = module.metadata
    license_line = about.get("License-Expression") or (about.get("License") or "").partition("\n")[0]
    classifiers = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License")
    ]
    print(f"  {about['Name']} {module.version}: {license_line or ', '.join(classifiers) or 'see its folder'}")
